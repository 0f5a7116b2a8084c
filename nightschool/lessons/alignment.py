"""The least general pattern that covers several texts (anti-unification, Plotkin 1970): constants, gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise, zip_longest

from nightschool.lessons.atoms import TURN, Atom, atoms

_TOO_LARGE = 90_000  # cells of one alignment; beyond, longest blocks are good enough
_FIELD_MARKS = TURN + "|;"  # between turns, and between fields of a line
_NEIGHBOURS = 1.0  # worth of two constants that are neighbours in both texts


@dataclass(frozen=True)
class Alignment:
    """Texts as atoms, and where each constant stands: `constants[k][i]` is an index into `texts[i]`."""

    texts: tuple[tuple[Atom, ...], ...]
    constants: tuple[tuple[int, ...], ...]

    def gaps(self) -> list[tuple[tuple[int, int], ...]]:
        """What stands between constants, as ranges of atoms in each text; those empty in all are left out."""
        ends = tuple(len(text) for text in self.texts)
        borders = [tuple(-1 for _ in ends), *self.constants, ends]
        found = [
            tuple((a + 1, b) for a, b in zip(left, right, strict=True)) for left, right in pairwise(borders)
        ]
        return [gap for gap in found if any(a < b for a, b in gap)]


def alignments(texts: Sequence[str]) -> list[Alignment]:
    """Alignments worth trying: field by field where all texts have as many lines, or fields on a line; and
    atom by atom."""
    rows = tuple(atoms(text) for text in texts)
    ranges = tuple((0, len(row)) for row in rows)
    lines = tuple(_lines(text, row) for text, row in zip(texts, rows, strict=True))
    found = [Alignment(rows, tuple(_by_fields(rows, ranges, lines, _FIELD_MARKS)))]
    plain = Alignment(rows, tuple(_shared(rows, ranges)))
    return found if plain == found[0] else [*found, plain]


def align(texts: Sequence[str]) -> Alignment:
    """The constants that all texts share in one order, field by field where they have as many."""
    return alignments(texts)[0]


def _lines(text: str, row: Sequence[Atom]) -> tuple[int, ...]:
    """The line on which each atom stands."""
    found, line, at = list[int](), 0, 0
    for atom in row:
        line += text.count("\n", at, atom.start)
        at = atom.start
        found.append(line)
    return tuple(found)


Ranges = tuple[tuple[int, int], ...]  # of atoms, one in each text


def _by_fields(
    rows: tuple[tuple[Atom, ...], ...], ranges: Ranges, lines: tuple[tuple[int, ...], ...], marks: str
) -> Iterator[tuple[int, ...]]:
    """Constants of ranges, first parted by lines, then by each mark that stands equally often in all."""
    starts = [
        [k for k in range(a + 1, b) if line[k] != line[k - 1]]
        for line, (a, b) in zip(lines, ranges, strict=True)
    ]
    if starts[0] and len({len(s) for s in starts}) == 1:
        for part in _between(ranges, list(zip(*starts, strict=True)), 0):
            yield from _by_fields(rows, part, lines, marks)
        return
    for n, mark in enumerate(marks):
        places = [
            [k for k in range(a, b) if row[k].text == mark] for row, (a, b) in zip(rows, ranges, strict=True)
        ]
        if places[0] and len({len(p) for p in places}) == 1:
            borders = list(zip(*places, strict=True))
            for part, border in zip_longest(_between(ranges, borders, 1), borders):
                yield from _by_fields(rows, part, lines, marks[n + 1 :])
                if border:
                    yield border
            return
    yield from _shared(rows, ranges)


def _between(ranges: Ranges, borders: Sequence[tuple[int, ...]], width: int) -> list[Ranges]:
    """The parts of ranges before, between and after borders of `width` atoms."""
    starts = [tuple(a for a, _ in ranges), *(tuple(k + width for k in border) for border in borders)]
    ends = [*borders, tuple(b for _, b in ranges)]
    return [tuple(zip(a, b, strict=True)) for a, b in zip(starts, ends, strict=True)]


def _shared(rows: tuple[tuple[Atom, ...], ...], ranges: Ranges) -> Iterator[tuple[int, ...]]:
    """Constants atom by atom: one text after the other is aligned with what the texts before it share."""
    first, *others = [[a.text for a in row[s:e]] for row, (s, e) in zip(rows, ranges, strict=True)]
    shared: list[tuple[int, ...]] = [(k,) for k in range(len(first))]
    texts = first
    for row in others:
        # As the constants stand in the text just before: neighbours there may be neighbours here.
        pairs = common([texts[p[-1]] for p in shared], row, [p[-1] for p in shared])
        shared = [(*shared[left], right) for left, right in pairs]
        texts = row
    for places in shared:
        yield tuple(k + s for k, (s, _) in zip(places, ranges, strict=True))


def common(
    left: Sequence[str], right: Sequence[str], places: Sequence[int] | None = None
) -> list[tuple[int, int]]:
    """A heaviest common subsequence, as pairs of indices. `places`: where the left ones stood."""
    places = range(len(left)) if places is None else places
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start] and places[start] == start:
        start += 1
    head = [(k, k) for k in range(start)]
    if start in (len(left), len(right)):
        return head
    return head + [(a + start, b + start) for a, b in _heaviest(left[start:], right[start:], places[start:])]


def _heaviest(left: Sequence[str], right: Sequence[str], places: Sequence[int]) -> list[tuple[int, int]]:
    if len(left) * len(right) > _TOO_LARGE:
        blocks = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
        return [(a + k, b + k) for a, b, size in blocks for k in range(size)]
    return _dynamic(left, right, places)


def _dynamic(left: Sequence[str], right: Sequence[str], places: Sequence[int]) -> list[tuple[int, int]]:
    """Longest common subsequence with weights (Needleman and Wunsch 1970), filled from the end.

    `best[a][b]` is the worth of the rest from (a, b), `taken[a][b]` that of the rest when both are matched.
    """
    m, n = len(left), len(right)
    best = [[0.0] * (n + 1) for _ in range(m + 1)]
    taken = [[-1.0] * (n + 1) for _ in range(m + 1)]
    for a in range(m - 1, -1, -1):
        row, below, match, after = best[a], best[a + 1], taken[a], taken[a + 1]
        adjacent = a + 1 < m and places[a + 1] == places[a] + 1
        text, worth = left[a], weight(left[a])
        for b in range(n - 1, -1, -1):
            value = below[b] if below[b] >= row[b + 1] else row[b + 1]
            if text == right[b]:
                rest = below[b + 1]
                if adjacent and after[b + 1] >= 0:
                    rest = max(rest, after[b + 1] + _NEIGHBOURS)
                match[b] = worth + rest
                value = max(value, match[b])
            row[b] = value
    return _trace(best, taken, places)


def _trace(best: list[list[float]], taken: list[list[float]], places: Sequence[int]) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    a = b = 0
    while a < len(best) - 1 and b < len(best[0]) - 1:
        follows = bool(pairs) and pairs[-1] == (a - 1, b - 1) and places[a] == places[a - 1] + 1
        here = taken[a][b] + (_NEIGHBOURS if follows else 0.0)
        if taken[a][b] >= 0 and here >= best[a][b]:
            pairs.append((a, b))
            a, b = a + 1, b + 1
        elif best[a + 1][b] >= best[a][b + 1]:
            a += 1
        else:
            b += 1
    return pairs


def weight(atom: str) -> float:
    """How much a shared atom tells: a mark little, a word more the longer it is."""
    return 1.0 + min(len(atom), 8) / 4 if atom[0].isalnum() else 0.5


def subsequence(needle: Sequence[str], row: Sequence[str]) -> bool:
    """Whether all of `needle` stands in `row`, in its order."""
    rest = iter(row)
    return all(any(item == other for other in rest) for item in needle)
