"""What only a session says: its facts, and the part of each by which an answer is known to be right.

A fact is looked at as a note: a request with its answer, or what the user told. What the model, shown the
session's other notes, would not have guessed of it is what only this note says, whatever the language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nightschool.lessons.atoms import Atom
from nightschool.lessons.evidence import content, names
from nightschool.lessons.exchanges import Exchange
from nightschool.lessons.families import ALIKE, overlap
from nightschool.lessons.writing import Writer
from nightschool.types import Message

# Nats, from SmolLM2-135M on notes in four languages (docs/log.md, 2026-11-27): names, numbers and code words
# were at -5.9 and below, the words around them above -5 where another note was of the same form.
SURPRISE = -5.0  # an atom that is less likely is said only here
# Nats by which a told statement is at least likelier as a note than as a question: statements had -0.8 to 4,
# requests -5.3 to 2.1.
TELLS = 1.0
_MOST = 4  # surprising parts of an answer: more is a text, not a fact
LONGEST = 300  # characters of a note
_OTHERS = 12  # notes that are shown before one


@dataclass(frozen=True)
class Noted:
    """A user's turn, the answer to it, and the exchange, whose answer is None where nobody knows if that was
    right."""

    request: str
    answer: str
    exchange: Exchange

    @property
    def text(self) -> str:
        return f"{self.request} {self.answer}"


@dataclass(frozen=True)
class Fact:
    """`says` is what an answer has to name to be right, `subject` what that is about, if it can be told;
    `exchange` is a request for it with the right answer, or, where it was told, the statement in place of
    both. `turns` are the session's own about it; `turned`: it is asked for from its other end."""

    note: str
    says: str
    subject: str
    exchange: Exchange
    turns: tuple[Message, ...]
    told: bool = False
    turned: bool = False

    @property
    def about(self) -> frozenset[str]:
        """What a question has to name some of."""
        return content(self.subject) or content(self.note) - content(self.says)


def facts(writer: Writer, noted: Sequence[Noted]) -> tuple[list[Fact], frozenset[str]]:
    """The facts of a session, and all turns of the user that only tell one. A fact that can be asked for from
    either end ("Who is our lawyer?", "Who is Ines Corvo?") is two; of two that tell different things of the
    same, the later one counts; one that is asked for, too, is not a told one.

    A request that states something and is answered with something new ("Ticket 5424: door is stuck.", a
    label) asks for no fact, nor do others of its form. Nor does one that is put into a form in which one that
    states nothing is answered, too."""
    short = [one for one in noted if len(one.text) <= LONGEST]
    others = [_unlike(one, [*short[:i], *short[i + 1 :]])[-_OTHERS:] for i, one in enumerate(short)]
    new = [_new(writer, one, some) for one, some in zip(short, others, strict=True)]
    tells = writer.tells([one.note.request for one in new])
    stated = [t >= TELLS for t in tells]
    tasks = [one.note.request for one, states in zip(new, stated, strict=True) if states and one.said]
    forms = [one.note.answer for one, states in zip(new, stated, strict=True) if not states and one.reworded]
    found: dict[tuple[str, ...], Fact] = {}
    told = set[str]()
    for one, states in zip(new, stated, strict=True):
        if any(overlap(one.note.request, task) > ALIKE for task in tasks):
            continue
        if one.reworded and any(overlap(one.note.answer, form) > ALIKE for form in forms):
            continue
        for fact in _facts(one, states):
            about = sorted(content(fact.note) - content(fact.says)) if fact.told else [fact.note, fact.says]
            found[(str(fact.told), *about)] = fact
            if fact.told:
                told.add(fact.note)
    asked = {fact.says.casefold() for fact in found.values() if not fact.told}
    kept = [fact for fact in found.values() if not fact.told or fact.says.casefold() not in asked]
    return kept, frozenset(told)


def _unlike(one: Noted, others: Sequence[Noted]) -> list[str]:
    """The notes that do not say the same: those with something that only they and this one have."""
    common = Counter(atom for note in (one, *others) for atom in content(note.text))
    return [o.text for o in others if all(common[a] > 2 for a in content(one.text) & content(o.text))]


@dataclass(frozen=True)
class _New:
    """What only a note says, in its request and in its answer."""

    note: Noted
    asked: Sequence[_Part]
    said: Sequence[_Part]

    @property
    def reworded(self) -> bool:
        """Whether the answer says nothing new, but something that the request says."""
        return not self.said and bool(content(self.note.answer) & content(self.note.request))


def _new(writer: Writer, one: Noted, others: Sequence[str]) -> _New:
    surprises = writer.surprises(one.text, others)
    border = len(one.request)  # no part reaches over it, whether or not a mark ends the request
    asked = _parts(one.text, [(atom, p) for atom, p in surprises if atom.end <= border])
    said = _parts(one.text, [(atom, p) for atom, p in surprises if atom.start > border])
    return _New(one, asked, [part for part in said if not content(part.text) <= content(one.request)])


def _facts(new: _New, states: bool) -> Iterator[Fact]:
    """A note's fact, from either end, if there is one; `states`: its request rather tells than asks."""
    one, asked = new.note, new.asked
    turns = (Message("user", one.request), Message("assistant", one.answer))
    if new.said:
        if one.exchange.answer is None or len(new.said) > _MOST:
            return
        says = _strongest(new.said).text
        subjects = [part for part in asked if names(one.answer, part.text)]
        subject = _strongest(subjects).text if subjects else ""
        yield Fact(one.text, says, subject, one.exchange, turns)
        if subject:
            yield Fact(one.text, subject, says, one.exchange, turns, turned=True)
    elif 2 <= len(asked) <= _MOST and states:
        statement = replace(one.exchange, answer=one.request)
        ends = sorted(sorted(asked, key=_strength)[:2], key=lambda part: part.start)
        for part, other in (ends[::-1], ends):
            turned = part is ends[0]
            yield Fact(one.request, part.text, other.text, statement, turns, told=True, turned=turned)


@dataclass(frozen=True)
class _Part:
    """Surprising atoms in a row."""

    text: str
    start: int
    end: int
    logprob: float


def _parts(text: str, surprises: Sequence[tuple[Atom, float]]) -> list[_Part]:
    """The stretches of a text that only it says. Marks within a stretch belong to it."""
    out: list[_Part] = []
    last: Atom | None = None  # belongs to the newest part, if there is one
    for atom, logprob in surprises:
        if atom.kind == "mark":  # "pelican-9" is one part, "Lyon, Ghent" are two
            last = atom if last and last.end == atom.start else None
        elif logprob >= SURPRISE:
            last = None
        elif last and (last.kind != "mark" or last.end == atom.start):
            part, last = out.pop(), atom
            text_ = text[part.start : atom.end]
            out.append(_Part(text_, part.start, atom.end, part.logprob + logprob))
        else:
            last = atom
            out.append(_Part(atom.text, atom.start, atom.end, logprob))
    return out


def _strength(part: _Part) -> float:
    return part.logprob


def _strongest(parts: Sequence[_Part]) -> _Part:
    return min(parts, key=_strength)
