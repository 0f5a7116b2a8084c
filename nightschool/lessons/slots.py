"""Which spans of a request may be replaced without changing how its answer is made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from nightschool.lessons.atoms import atoms
from nightschool.lessons.calendars import lists_with
from nightschool.lessons.explain import Explanation, Piece, Span
from nightschool.lessons.families import Case
from nightschool.lessons.sources import Source


@dataclass(frozen=True)
class Slot:
    """A span of one request that may be replaced, and the values that the session has at its place."""

    span: Span
    value: str
    pool: tuple[str, ...]
    hidden: bool = False  # never shows in the answers: only values that the session has here are safe


def shown_slots(
    explanation: Explanation,
    members: Sequence[Case],
    sources: Sequence[Source],
    fixed: Sequence[frozenset[Span]],
    held: Sequence[Source],
    constants: frozenset[str],
) -> tuple[tuple[Slot, ...], ...]:
    """What may be replaced in each request: the sources of the cheapest explanation."""
    pieces = [e.piece for e in explanation.path if e.piece and e.piece.varies]
    constant = {a.text for e in explanation.path if not e.piece for a in atoms(e.text)}
    found: list[tuple[Slot, ...]] = []
    for k, member in enumerate(members):
        keep = {s.spans[k] for s in held}
        pools = {s.spans[k]: s.values for s in sources}
        for p in pieces:
            pools.setdefault(p.sources[k][0][0], p.inputs)
        spans = _cut([span for p in pieces for span in p.sources[k][0]], fixed[k], member.request)
        slots = [Slot(s, member.request[slice(*s)], pools.get(s, ())) for s in spans if s not in keep]
        found.append(
            tuple(
                replace(slot, pool=slot.pool or (slot.value,))
                for slot in slots
                # A value that the answers also have as a constant may be what that comes from.
                if slot.value not in constants and not {a.text for a in atoms(slot.value)} <= constant
            )
        )
    return tuple(found)


def _cut(spans: Sequence[Span], fixed: Collection[Span], request: str) -> list[Span]:
    """The outermost spans, taken apart where they overlap, without what is constant, except in a name of the
    calendar."""
    outer = [s for s in spans if not any(o != s and o[0] <= s[0] and s[1] <= o[1] for o in spans)]
    names = [s for s in outer if lists_with(request[slice(*s)])]
    borders = sorted({x for span in [*outer, *fixed] for x in span})
    found: list[Span] = []
    for a, b in pairwise(borders):
        name = next((s for s in names if s[0] <= a and b <= s[1]), None)
        inside = any(s <= a and b <= e for s, e in outer)
        constant = any(s <= a and b <= e for s, e in fixed)
        if name:
            found.append(name)
        elif inside and not constant:
            found.append((a, b))
    trimmed = [_trimmed(request, span) for span in dict.fromkeys(found)]
    return [span for span in trimmed if span[0] < span[1]]


def _trimmed(request: str, span: Span) -> Span:
    """A span without white space at its ends."""
    text = request[slice(*span)]
    start = span[0] + len(text) - len(text.lstrip())
    return start, max(start, span[1] - (len(text) - len(text.rstrip())))


def hidden_slots(
    sources: Sequence[Source], k: int, shown: Sequence[Slot], constants: frozenset[str]
) -> Iterator[Slot]:
    """The gaps of request `k` that hold nothing of what its answer shows."""
    free = [s for s in sources if s.regular and not s.calendar]
    taken = [slot.span for slot in shown]
    for source in sorted(free, key=lambda s: s.spans[k][0] - s.spans[k][1]):
        start, end = source.spans[k]
        if not any(a < end and start < b for a, b in taken) and source.values[k] not in constants:
            taken.append((start, end))
            yield Slot((start, end), source.values[k], tuple(dict.fromkeys(source.values)), hidden=True)


def held_sources(sources: Sequence[Source], labels: Sequence[Piece]) -> list[Source]:
    """What labels may depend on: the values that they were learned from, and numbers that part them."""
    return [s for s in sources if any(s.values == p.inputs or _parts(s.values, p.outputs) for p in labels)]


def _parts(values: Sequence[str], labels: Sequence[str]) -> bool:
    """Whether numbers lie in as many stretches as there are labels: then a threshold may be the rule."""
    if not all(v.isdecimal() for v in values):
        return False
    ordered = [label for _, label in sorted(zip(map(int, values), labels, strict=True))]
    changes = sum(a != b for a, b in pairwise(ordered))
    return changes == len(set(labels)) - 1
