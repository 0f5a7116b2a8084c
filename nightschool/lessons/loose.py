"""Requests that are worded each in its own way: what their phrases may have become in all answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from nightschool.lessons.alignment import align
from nightschool.lessons.atoms import TURN, atoms
from nightschool.lessons.calendars import lists_with
from nightschool.lessons.explain import Explanation, Piece, Span
from nightschool.lessons.proposals import Examples, Transformation, choice_bits
from nightschool.lessons.sources import PHRASE, SOURCE, Source, cheapest, columns, kind_of, source_of
from nightschool.lessons.transformations import FAMILIES
from nightschool.lessons.wording import folded

_LETTERS = 12  # of a phrase in a script without spaces
_GAPS = 12  # variable parts of answers; more are no form for people either


def loose_pieces(requests: Sequence[str], answers: tuple[str, ...]) -> list[Piece]:
    """What phrases of requests, each worded in its own way, may have become in all answers: the same
    transformation explains a whole varying part of each answer, wherever its source stands."""
    aligned = align(answers)
    phrases = [_phrases(request) for request in requests]
    found: list[Piece] = []
    gaps = aligned.gaps()
    if len(gaps) > _GAPS:
        return []
    for gap in gaps:
        parts = [*columns(aligned, gap), tuple(gap)] if all(a < b for a, b in gap) else []
        before = len(found)
        for part in dict.fromkeys(parts):
            target = source_of(answers, aligned, part, 0.0)
            if target.varies:
                found += _loose(phrases, target.values)
        if len(found) == before:
            return []  # no explanation can do without this part
    return cheapest(found)


def loose_sources(explanation: Explanation, requests: Sequence[str]) -> list[Source]:
    """The sources of the cheapest explanation, each case's own phrases side by side."""
    found: list[Source] = []
    for edge in explanation.path:
        if edge.piece:
            spans = tuple(alternatives[0][0] for alternatives in edge.piece.sources)
            found.append(Source(spans, tuple(r[a:b] for r, (a, b) in zip(requests, spans, strict=True))))
    return found


def _phrases(request: str) -> dict[str, list[Span]]:
    """The phrases of a request with the spans where they stand."""
    row, found = atoms(request), dict[str, list[Span]]()
    for a in range(len(row)):
        letters = len(row[a].text) == 1 and row[a].kind == "word"
        for b in range(a + 1, min(len(row), a + (_LETTERS if letters else PHRASE)) + 1):
            if row[b - 1].text == TURN:
                break
            if row[a].kind != "mark" and row[b - 1].kind != "mark":
                span = (row[a].start, row[b - 1].end)
                found.setdefault(request[slice(*span)], []).append(span)
    return found


def _loose(phrases: Sequence[dict[str, list[Span]]], targets: tuple[str, ...]) -> Iterator[Piece]:
    tried = set[str]()
    likely = [[v for v in p if _may_become(v, target)] for p, target in zip(phrases, targets, strict=True)]
    if not all(likely):
        return
    for value in likely[0]:
        for family in FAMILIES:
            for transformation in family(Examples((value,), (targets[0],))):
                if transformation.words not in tried and transformation.apply([value]) == targets[0]:
                    tried.add(transformation.words)
                    piece = _everywhere(transformation, phrases, likely, targets)
                    if piece:
                        yield piece


def _may_become(value: str, target: str) -> bool:
    """Whether a phrase has the letters of a target; numbers and names of the calendar may become anything."""
    return _letters(target) <= _letters(value) or any(map(str.isdecimal, value)) or bool(lists_with(value))


@lru_cache(maxsize=65_536)
def _letters(text: str) -> frozenset[str]:
    return frozenset(c for c in folded(text) if c.isalpha())


def _everywhere(
    transformation: Transformation,
    phrases: Sequence[dict[str, list[Span]]],
    likely: Sequence[Sequence[str]],
    targets: tuple[str, ...],
) -> Piece | None:
    sources: list[tuple[tuple[Span, ...], ...]] = []
    inputs: list[str] = []
    for texts, worth, target in zip(phrases, likely, targets, strict=True):
        values = [v for v in worth if transformation.apply([v]) == target]
        if not values:
            return None
        # All that make the same are kept: they must agree on a twin.
        sources.append(tuple((span,) for v in values for span in texts[v]))
        inputs.append(values[0])
    cost = transformation.cost + SOURCE
    # In each request another phrase may have been the source: that is a choice for each output that tells.
    choices = _choices(phrases, inputs) * len(set(targets))
    return Piece(transformation, tuple(sources), tuple(inputs), targets, cost, cost + choices)


def _choices(phrases: Sequence[dict[str, list[Span]]], chosen: Sequence[str]) -> float:
    """What it costs to say which phrase of a request was chosen, on average: one of all, or, where all chosen
    ones have one shape (a number), one of that."""
    shapes = {_shape(value) for value in chosen}
    counts = [len(p) if len(shapes) > 1 else sum(_shape(v) in shapes for v in p) for p in phrases]
    return sum(map(choice_bits, counts)) / len(phrases)


@lru_cache(maxsize=65_536)
def _shape(phrase: str) -> tuple[str, ...]:
    return tuple(map(kind_of, atoms(phrase)))
