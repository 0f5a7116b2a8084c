"""Variations of a request: other entities of the same shape, and the right answer if that is known for sure.

A wrong "right answer" teaches a falsehood, so when in doubt the answer is not known. Pure.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from nightschool.lessons.entities import Entity, find, fresh, same_date


@dataclass(frozen=True)
class Variation:
    """A varied request; `expected` is its right answer if known, `replaced` maps old entities to new ones."""

    text: str
    expected: str | None
    replaced: dict[str, str]


@dataclass(frozen=True)
class Pattern:
    """What can vary in a request and its liked answer.

    entities  what the request mentions, each once
    forms     how an entity is written in the answer, for those that stand there
    sure      the answer contains nothing that may have been computed from the request or be a fact about it
    free      entities that do not affect the answer: they do not stand in it, and another request of the same
              form had others there and an answer of the same form
    """

    request: str
    answer: str | None
    entities: tuple[Entity, ...]
    forms: dict[str, str]
    sure: bool
    free: frozenset[str] = frozenset()

    @property
    def form(self) -> str:
        """The request with its entities blanked out."""
        return substitute(self.request, {e.text: "\0" for e in self.entities})

    @property
    def has_twins(self) -> bool:
        """Whether entities can be replaced in request and answer alike, so that the answer stays right."""
        return self.sure and bool(self.forms)

    @property
    def skeleton(self) -> str:
        """The answer with the request's entities blanked out."""
        return substitute(self.answer or "", dict.fromkeys(self.forms.values(), "\0"))


def pattern(request: str, answer: str | None, constants: Collection[str] = ()) -> Pattern:
    """Analyse a request and its liked answer; `constants` belong to the house's format."""
    entities = tuple({e.text: e for e in find(request)}.values())
    if answer is None:
        return Pattern(request, None, entities, {}, sure=False)
    forms = {e.text: form for e in entities if (form := _form_in(e, answer))}
    known = [*forms.values(), *constants]
    unknown = [e for e in find(answer) if not any(_occurs(e.text, form) for form in known)]
    dates = [e.text for e in entities if e.kind == "date"]
    # Any other entity in the answer may have been computed, but for a date of the request spelt differently.
    sure = all(e.kind == "date" and any(same_date(e.text, d) for d in dates) for e in unknown)
    return Pattern(request, answer, entities, forms, sure)


def confirmed(patterns: Sequence[Pattern]) -> list[Pattern]:
    """The patterns of one session, compared with each other.

    A pattern stays sure only if a second, different answer has the same skeleton: that makes it a format.
    "The Berlin office is KESTREL." alone may be a fact. An entity that all requests of one form share and no
    answer contains, such as the house's own code in a tool call, no longer varies.
    """
    out = []
    for one in patterns:
        alike = [p for p in patterns if p.skeleton == one.skeleton and p.answer != one.answer]
        peers = [{e.text for e in p.entities} for p in alike if p.form == one.form]
        shared = set.intersection(*peers) if peers else set()
        entities = tuple(e for e in one.entities if e.text in one.forms or e.text not in shared)
        own = {e.text for e in entities} - one.forms.keys()
        free = frozenset(e for e in own if any(e not in p for p in peers))
        out.append(replace(one, sure=one.sure and bool(alike), entities=entities, free=free))
    return out


def vary(what: Pattern, rng: random.Random, *, twin: bool) -> Variation | None:
    """A variation, or None if there is nothing to replace.

    A `twin` replaces only entities that stand in the answer or are free, so its right answer is known. Any
    other variation replaces every entity.
    """
    known = {*what.forms, *what.free}
    chosen = [e for e in what.entities if not twin or e.text in known]
    if not chosen or (twin and not what.has_twins):
        return None
    replaced = {e.text: fresh(e, rng) for e in chosen}
    text = substitute(what.request, replaced)
    expected = None
    if what.has_twins and all(e.text in known for e in chosen) and what.answer is not None:
        in_answer = {
            form: _like(old, form, replaced[old]) for old, form in what.forms.items() if old in replaced
        }
        expected = substitute(what.answer, in_answer)
    return Variation(text, expected, replaced)


def substitute(text: str, replaced: Mapping[str, str]) -> str:
    """Replace whole tokens, longest first, in one pass, so that no replacement is replaced again."""
    if not replaced:
        return text
    longest_first = sorted(replaced, key=len, reverse=True)
    finder = re.compile(_token("|".join(re.escape(old) for old in longest_first)))
    return finder.sub(lambda match: replaced[match[0]], text)


def _token(pattern: str) -> str:
    """A pattern that matches whole tokens only: INV-20 is not found in INV-2041, nor 12 in 12.50."""
    return rf"(?<![\w])(?<!\w[-_.,/@])(?:{pattern})(?![\w])(?![-_/.,@]\w)"


def _occurs(needle: str, text: str) -> bool:
    return re.search(_token(re.escape(needle)), text) is not None


def _form_in(entity: Entity, answer: str) -> str | None:
    """How the answer writes an entity: as it is, in upper or lower case, or without thousands commas."""
    if len(entity.text) < 2:
        return None  # a single character stands in too many answers by chance
    text = entity.text
    return next((f for f in (text, *_derived(text)) if _occurs(f, answer)), None)


def _derived(text: str) -> list[str]:
    """Other ways to write an entity that `_like` can repeat for another one."""
    plain = text.replace(",", "") if re.fullmatch(r"[\d,]+(\.\d+)?", text) else text
    return [f for f in (text.upper(), text.lower(), plain) if f != text]


def _like(old: str, form: str, new: str) -> str:
    """Write `new` as the answer writes `old`, which is as `form`."""
    if form == old:
        return new
    if form == old.upper():
        return new.upper()
    if form == old.lower():
        return new.lower()
    return new.replace(",", "")
