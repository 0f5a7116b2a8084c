"""What a session's exchanges show by example: which parts vary, and how the answers are made of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from nightschool.lessons.alignment import Alignment, align, alignments, subsequence
from nightschool.lessons.atoms import SEPARATOR, TURN, atoms
from nightschool.lessons.describe import described
from nightschool.lessons.explain import Explanation, Span, explain
from nightschool.lessons.families import Case, Tree, tree, undecided
from nightschool.lessons.loose import loose_pieces, loose_sources
from nightschool.lessons.slots import Slot, held_sources, hidden_slots, shown_slots
from nightschool.lessons.sources import (
    Source,
    aligned_pieces,
    kind_of,
    label_pieces,
    plain_sources,
    stripped_sources,
)
from nightschool.lessons.twins import Substitution, alike, atomwise, collides, occurrences, same_json

__all__ = ["Case", "Draw", "Pattern", "Twin", "patterns"]

Draw = Callable[[str, random.Random, Sequence[str]], str | None]
_TRIES = 12  # draws for one twin
# Bounds on what reading a session costs.
_CASES = 64  # of one session that are looked at
_LONG = 6000  # characters of a case; longer ones are left alone
_EFFORT, _EFFORT_CASE = 200, 25  # sources that are looked at in a session, and more for each case
_LOOSE = 40_000  # characters of all requests that are searched phrase by phrase


@dataclass(frozen=True)
class Twin:
    """A recorded request with other values, and its derived answer."""

    case: int
    request: str
    answer: str
    replaced: Mapping[str, str]


@dataclass(frozen=True)
class Pattern:
    """Exchanges that one explanation covers. `cases` are their indices in the session. `given` are, for each
    member that follows something up, the answers between its turns: the pattern that made each, and which
    member of that it is."""

    cases: tuple[int, ...]
    members: tuple[Case, ...]
    explanation: Explanation
    slots: tuple[tuple[Slot, ...], ...]
    fixed: tuple[frozenset[Span], ...]
    given: tuple[tuple[tuple[Pattern, int], ...], ...] = field(default=(), repr=False)

    def describe(self) -> list[str]:
        """How each variable part of the answer is made, in plain English, each once."""
        pieces = [e.piece for e in self.explanation.path if e.piece and e.piece.varies]
        return list(dict.fromkeys(map(described, pieces)))

    def twin(self, rng: random.Random, draw: Draw) -> Twin | None:
        """A recorded request with drawn values, and the answer on which all explanations agree.

        None where nothing can be replaced or the explanations differ on everything that was drawn.
        `draw(value, rng, pool)` gives another value that could stand in its place.
        """
        for attempt in range(_TRIES):
            k = rng.randrange(len(self.members))
            slots = self.slots[k]
            if attempt >= _TRIES // 2:  # something here is not settled: change less
                slots = tuple(s for s in slots if rng.random() < 0.5)
            drawn = self._drawn(k, slots, rng, draw)
            made = self._derived(k, drawn) if drawn else None
            if made:
                return made
        return None

    def _drawn(self, k: int, slots: Sequence[Slot], rng: random.Random, draw: Draw) -> dict[str, str]:
        """New values for slots of case `k`, by the old ones; a slot without a fit one keeps its value."""
        request = self.members[k].request
        others = {a.text for a in atoms(request)}
        replaced: dict[str, str] = {}
        for slot in slots:
            if slot.value in replaced:
                continue
            new = rng.choice(slot.pool) if slot.hidden else draw(slot.value, rng, slot.pool)
            if new is None or new == slot.value or not (slot.hidden or alike(new, slot.pool)):
                continue
            if collides(new, slot.value, others) or new in replaced.values():
                continue
            replaced[slot.value] = new
            others |= {a.text for a in atoms(new)}
        return replaced

    def _derived(self, k: int, drawn: Mapping[str, str]) -> Twin | None:
        case = self.members[k]
        spans: dict[Span, str] = {}
        # Longer values first: a value that is a part of another one is replaced only where it stands alone.
        for old in sorted(drawn, key=len, reverse=True):
            wanted = [s.span for s in self.slots[k] if s.value == old]
            for span in [*wanted, *occurrences(case.request, old, self.fixed[k])]:
                if not any(a < span[1] and span[0] < b for a, b in spans):
                    spans |= atomwise(span, old, drawn[old])
        new = Substitution(case.request, spans)
        answer = self.explanation.answer(k, new.at)
        if answer is None or any(case.request == new.text for case in self.members):
            return None
        if not same_json(case.request, new.text) or not same_json(case.answer, answer):
            return None
        between = [pattern.answer(member, spans) for pattern, member in self.given[k]] if self.given else []
        if None in between:
            return None
        return Twin(self.cases[k], _with_answers(new.text, between), answer, dict(drawn))

    def answer(self, k: int, spans: Mapping[Span, str]) -> str | None:
        """The answer to case `k` with other texts at `spans`, of which those behind it are no matter; None
        where it is not known, since they are no values that may be replaced, or explanations differ."""
        case, slots = self.members[k], self.slots[k]
        inside = {span: text for span, text in spans.items() if span[1] <= len(case.request)}
        new = Substitution(case.request, inside)
        for a, b in inside:
            slot = next((s for s in slots if any(x <= a and b <= y for x, y in self._places(k, s))), None)
            if slot is None or (slot.hidden and new.at(slot.span) not in slot.pool):
                return None
        answer = self.explanation.answer(k, new.at)
        return answer if answer is not None and same_json(case.answer, answer) else None

    def _places(self, k: int, slot: Slot) -> list[Span]:
        """Where the value of a slot of case `k` stands."""
        return [slot.span, *occurrences(self.members[k].request, slot.value, self.fixed[k])]


def _with_answers(turns: str, between: Sequence[str | None]) -> str:
    """The user's turns, joined, with the answers between them."""
    both = zip_longest(turns.split(SEPARATOR), between)
    return SEPARATOR.join(text for pair in both for text in pair if text is not None) if between else turns


def patterns(cases: Sequence[Case], constants: Collection[str] = ()) -> list[Pattern]:
    """The patterns of a session's exchanges, no exchange in two of them.

    All exchanges together are tried first, then ever more alike ones. Values in `constants` are never
    replaced.
    """
    usable = [i for i, c in enumerate(cases) if c.answer and len(c.request) + len(c.answer) <= _LONG]
    root = tree([cases[i] for i in usable[:_CASES]])
    if root is None:
        return []
    session = _Session(cases, frozenset(constants), _EFFORT + _EFFORT_CASE * len(usable))
    return list(_solved(root, usable, session))


@dataclass
class _Session:
    """All exchanges, what never varies in them, and how many sources may still be looked at."""

    cases: Sequence[Case]
    constants: frozenset[str]
    effort: int

    def affords(self, sources: int) -> bool:
        """Whether so many sources may be looked at; takes them off."""
        if sources > self.effort:
            return False
        self.effort -= sources
        return True


def _solved(node: Tree, usable: Sequence[int], session: _Session) -> Iterator[Pattern]:
    if len(node.members) < 2:
        return
    found = _pattern(tuple(usable[m] for m in node.members), session)
    if found and not undecided(found.members, [session.cases[i] for i in usable if i not in found.cases]):
        yield found
        return
    for child in node.children:
        yield from _solved(child, usable, session)


def _pattern(indices: tuple[int, ...], session: _Session) -> Pattern | None:
    cases = session.cases
    members = tuple(cases[i] for i in indices)
    outside = [case for i, case in enumerate(cases) if i not in indices]
    if len(set(members)) < 2 or len({m.answer for m in members}) < 2:
        return None
    requests = [m.request for m in members]
    found = alignments(requests)
    if any(covers(alignment, case.request) for alignment in found for case in outside):
        return None  # one of this form is made otherwise: whatever these have in common is not all of it
    for alignment in found:
        pattern = _aligned(indices, members, alignment, session)
        if pattern:
            return pattern
    if outside and not _apart(members, outside):
        return None
    return _loose(indices, members, session)


def covers(alignment: Alignment, request: str) -> bool:
    """Whether a request is of the aligned form too: as many turns, all constants in order, and nothing of
    another kind. A step of a tool flow begins as the steps before it, and is of another form."""
    row, first = atoms(request), alignment.texts[0]
    if request.count(TURN) != sum(a.text == TURN for a in first):
        return False
    shared = [first[places[0]].text for places in alignment.constants]
    if not subsequence(shared, [a.text for a in row]):
        return False
    seen = {kind_of(a) for text in alignment.texts for a in text}
    return {kind_of(a) for a in row} <= seen


def _apart(members: Sequence[Case], outside: Sequence[Case]) -> bool:
    """Whether no other answer looks like one of the members' form; where it does, it is an exception."""
    answers = align([m.answer for m in members])
    return not any(covers(answers, case.answer) for case in outside)


def _aligned(
    indices: tuple[int, ...], members: tuple[Case, ...], alignment: Alignment, session: _Session
) -> Pattern | None:
    answers = tuple(m.answer for m in members)
    plain = plain_sources([m.request for m in members], alignment)
    if not session.affords(len(plain)):
        return None
    fixed = tuple(
        frozenset((row[places[i]].start, row[places[i]].end) for places in alignment.constants)
        for i, row in enumerate(alignment.texts)
    )
    pieces = aligned_pieces(plain, answers)
    explanation = explain(answers, pieces)
    sources = plain
    if explanation is None:
        sources = [*plain, *stripped_sources(plain)]
        pieces += aligned_pieces(sources[len(plain) :], answers)
        explanation = explain(answers, pieces)
    held: list[Source] = []
    if explanation is None:
        labels = label_pieces(plain, [m.request for m in members], answers)
        explanation = explain(answers, [*pieces, *labels]) if labels else None
        if explanation:
            held = held_sources(plain, [p for p in explanation.pieces if p in labels])
    if explanation is None:
        return None
    slots = shown_slots(explanation, members, sources, fixed, held, session.constants)
    if not held:
        slots = tuple(
            (*shown, *hidden_slots(plain, k, shown, session.constants)) for k, shown in enumerate(slots)
        )
    return Pattern(indices, members, explanation, slots, fixed)


def _loose(indices: tuple[int, ...], members: tuple[Case, ...], session: _Session) -> Pattern | None:
    requests = [m.request for m in members]
    words = len(atoms(requests[0])) * len(requests)
    if sum(map(len, requests)) > _LOOSE or not session.affords(words // 4):
        return None
    answers = tuple(m.answer for m in members)
    pieces = loose_pieces(requests, answers)
    explanation = explain(answers, pieces)
    if explanation is None:
        return None
    # What is constant in the answers may be made of the same values.
    explanation = explain(answers, [*pieces, *aligned_pieces(loose_sources(explanation, requests), answers)])
    if explanation is None:
        return None
    fixed = tuple(frozenset[Span]() for _ in members)
    slots = shown_slots(explanation, members, [], fixed, [], session.constants)
    return Pattern(indices, members, explanation, slots, fixed)
