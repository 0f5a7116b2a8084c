"""Counterfactual variations of a request: other entities of the same shape, and the right answer where it
is surely known.

A wrong "right answer" teaches a falsehood, so everything here errs on the side of not knowing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from nightschool.lessons.entities import Entity, find, fresh, same_date


@dataclass(frozen=True)
class Variation:
    """A varied request; `expected` is its known right answer, `replaced` what was put for what."""

    text: str
    expected: str | None
    replaced: dict[str, str]


@dataclass(frozen=True)
class Pattern:
    """What can vary in a request and its liked answer.

    `forms` maps each entity that stands in the answer to how it stands there; `sure` says that the
    answer holds nothing that may have been worked out from the request, or be a fact about it. `free` are
    entities that do not stand in the answer, and that another request of the same form had otherwise, with
    the same form of an answer: they may vary, and the answer is known all the same.
    """

    request: str
    answer: str | None
    entities: tuple[Entity, ...]
    forms: dict[str, str]
    sure: bool
    free: frozenset[str] = frozenset()

    @property
    def form(self) -> str:
        """The request without its entities."""
        return substitute(self.request, {e.text: "\0" for e in self.entities})

    @property
    def has_twins(self) -> bool:
        return self.sure and bool(self.forms)

    @property
    def skeleton(self) -> str:
        """The answer without the request's entities."""
        return substitute(self.answer or "", dict.fromkeys(self.forms.values(), "\0"))


def pattern(request: str, answer: str | None, constants: Collection[str] = ()) -> Pattern:
    """Analyse a request and its liked answer; `constants` are entities that stand in every answer."""
    entities = tuple({e.text: e for e in find(request)}.values())
    if answer is None:
        return Pattern(request, None, entities, {}, sure=False)
    forms = {e.text: form for e in entities if (form := _form_in(e, answer))}
    known = [*forms.values(), *constants]
    unknown = [e for e in find(answer) if not any(_occurs(e.text, form) for form in known)]
    dates = [e.text for e in entities if e.kind == "date"]
    # A date in another spelling comes from that date alone; anything else may come from anything.
    sure = all(e.kind == "date" and any(same_date(e.text, d) for d in dates) for e in unknown)
    return Pattern(request, answer, entities, forms, sure)


def confirmed(patterns: Sequence[Pattern]) -> list[Pattern]:
    """The patterns of one session, those sure of their answers that a second answer bears out: the same
    skeleton around other entities is a format. "The Berlin office is KESTREL." alone may be a fact.

    What all requests of one form have in common and no answer has (a house's own code in a call) stays.
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
    """A variation. A `twin` replaces only what stands in the answer or is free, so its right answer is known;
    any other replaces everything. None where there is nothing to replace."""
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
    """Replace whole tokens, all in one pass (so that replacements never chain), longest first."""
    if not replaced:
        return text
    longest_first = sorted(replaced, key=len, reverse=True)
    finder = re.compile(_token("|".join(re.escape(old) for old in longest_first)))
    return finder.sub(lambda match: replaced[match[0]], text)


def _token(pattern: str) -> str:
    """Matches only where no token goes on to either side: INV-20 is not in INV-2041, 12 not in 12.50."""
    return rf"(?<![\w])(?<!\w[-_.,/@])(?:{pattern})(?![\w])(?![-_/.,@]\w)"


def _occurs(needle: str, text: str) -> bool:
    return re.search(_token(re.escape(needle)), text) is not None


def _form_in(entity: Entity, answer: str) -> str | None:
    """How an entity stands in the answer: as it is, in capitals or small, or without thousands separators."""
    if len(entity.text) < 2:
        return None  # a single digit stands in too many answers by chance
    text = entity.text
    return next((f for f in (text, *_derived(text)) if _occurs(f, answer)), None)


def _derived(text: str) -> list[str]:
    plain = text.replace(",", "") if re.fullmatch(r"[\d,]+(\.\d+)?", text) else text
    return [f for f in (text.upper(), text.lower(), plain) if f != text]


def _like(old: str, form: str, new: str) -> str:
    """Give `new` the form that `old` has in the answer."""
    if form == old:
        return new
    if form == old.upper():
        return new.upper()
    if form == old.lower():
        return new.lower()
    return new.replace(",", "")
