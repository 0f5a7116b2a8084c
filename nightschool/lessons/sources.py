"""Where the variable parts of answers may come from: the spans of requests, and what they may have become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, takewhile

from nightschool.lessons.alignment import Alignment, align
from nightschool.lessons.atoms import Atom, atoms
from nightschool.lessons.calendars import is_calendar, lists_with
from nightschool.lessons.explain import MARGIN, Piece, Span
from nightschool.lessons.proposals import Examples, Transformation, choice_bits
from nightschool.lessons.transformations import CALENDAR_FAMILIES, FAMILIES, PAIR_FAMILIES

SOURCE, _STRIPPED = 1.0, 1.5  # what naming a source costs; more where it is a part of a word
_WINDOW = 6  # atoms of a date or a time with constants in it
_PAIRS = 12  # numbers of a request that are added up in pairs
PHRASE = 4  # atoms of a phrase
_LABEL = 12.0  # bits: dearer than whatever computes the label

Range = tuple[int, int]  # of atoms
Item = tuple[bool, tuple[Range, ...]]  # whether it is constant, and where it stands


@dataclass(frozen=True)
class Source:
    """A span of every request, and the texts there."""

    spans: tuple[Span, ...]
    values: tuple[str, ...]
    cost: float = SOURCE
    calendar: bool = False  # only together a date, a time or a name of the calendar
    regular: bool = True  # its gap has the same kinds of atoms in every request

    @property
    def varies(self) -> bool:
        return len(set(self.values)) > 1 and all(self.values)


def plain_sources(requests: Sequence[str], alignment: Alignment) -> list[Source]:
    """Gaps of aligned requests, their columns, neighbouring columns together, dates across constants."""
    found: dict[tuple[Span, ...], Source] = {}
    for gap in alignment.gaps():
        parts = columns(alignment, gap)
        for a in range(len(parts)):
            for b in range(a + 1, len(parts) + 1):
                if b - a in (1, len(parts)) or b - a <= PHRASE:
                    ranges = [(x[0], y[1]) for x, y in zip(parts[a], parts[b - 1], strict=True)]
                    source = source_of(requests, alignment, ranges, SOURCE + (b - a > 1) / 2)
                    source = replace(source, regular=_regular(alignment, gap))
                    found.setdefault(source.spans, source)
    for source in _windows(requests, alignment):
        found.setdefault(source.spans, source)
    return [source for source in found.values() if source.varies]


def source_of(
    requests: Sequence[str],
    alignment: Alignment,
    ranges: Sequence[Range],
    cost: float,
    calendar: bool = False,
) -> Source:
    """The source at ranges of atoms, one in each text; empty where a range is."""
    spans = tuple(
        (row[a].start, row[b - 1].end) if a < b else (0, 0)
        for row, (a, b) in zip(alignment.texts, ranges, strict=True)
    )
    values = tuple(r[a:b] for r, (a, b) in zip(requests, spans, strict=True))
    return Source(spans, values, cost, calendar)


def columns(alignment: Alignment, gap: Sequence[Range]) -> list[tuple[Range, ...]]:
    """A gap as columns of one atom each where it has the same kinds of atoms in every text, else of one
    phrase or number each, else as it is. Nothing where it is empty in some."""
    if any(a == b for a, b in gap):
        return []
    rows = [row[a:b] for row, (a, b) in zip(alignment.texts, gap, strict=True)]
    for split in (_singly, _by_phrase):
        parts = [split(row) for row in rows]
        if len({tuple(kind for kind, _ in part) for part in parts}) == 1:
            starts = [_starts(a, part) for (a, _), part in zip(gap, parts, strict=True)]
            return [tuple((s[k], s[k + 1]) for s in starts) for k in range(len(parts[0]))]
    return [tuple(gap)]


def _regular(alignment: Alignment, gap: Sequence[Range]) -> bool:
    rows = [row[a:b] for row, (a, b) in zip(alignment.texts, gap, strict=True)]
    return len({tuple(kind_of(a) for a in row) for row in rows}) == 1


def _starts(at: int, part: Sequence[tuple[str, int]]) -> list[int]:
    found = [at]
    for _, size in part:
        found.append(found[-1] + size)
    return found


def _singly(row: Sequence[Atom]) -> list[tuple[str, int]]:
    return [(kind_of(a), 1) for a in row]


def _by_phrase(row: Sequence[Atom]) -> list[tuple[str, int]]:
    """Words with the marks among them together, everything else singly."""
    found: list[tuple[str, int]] = []
    for phrase, members in groupby(row, key=lambda a: a.kind in ("word", "mark")):
        group = list(members)
        found += [("phrase", len(group))] if phrase else _singly(group)
    return found


def kind_of(atom: Atom) -> str:
    """An atom's kind for comparison: with leading zeros or without, a number is a number."""
    return "number" if atom.kind == "code" else atom.kind


def _windows(requests: Sequence[str], alignment: Alignment) -> Iterator[Source]:
    """Neighbouring constants and columns that only together are a date, a time or a name of the calendar."""
    items = _items(alignment)
    for a in range(len(items)):
        dated = not _foreign(alignment, items[a])
        for b in range(a + 2, min(a + _WINDOW, len(items)) + 1):
            window = items[a:b]
            if all(fixed for fixed, _ in window):
                continue
            ranges = [(x[0], y[1]) for x, y in zip(window[0][1], window[-1][1], strict=True)]
            source = source_of(requests, alignment, ranges, SOURCE + 0.5, calendar=True)
            named = all(map(lists_with, source.values))
            if source.varies and (named or (dated and all(map(is_calendar, source.values)))):
                yield source


def _foreign(alignment: Alignment, item: Item) -> bool:
    """Whether it is a constant word that is in no calendar: then no date begins with it."""
    constant, column = item
    atom = alignment.texts[0][column[0][0]]
    return constant and atom.kind == "word" and not is_calendar(atom.text)


def _items(alignment: Alignment) -> list[Item]:
    """Constants and columns in their order, each with whether it is constant; a gap that some text does not
    have is left out."""
    fixed = [(True, tuple((k, k + 1) for k in places)) for places in alignment.constants]
    free = [(False, column) for gap in alignment.gaps() for column in columns(alignment, gap)]
    return sorted([*fixed, *free], key=lambda item: item[1][0])


def stripped_sources(sources: Sequence[Source]) -> Iterator[Source]:
    """What words of a column have besides an ending or a beginning that all of them share, as with particles
    that are written without a space."""
    for source in sources:
        if source.calendar or any(len(atoms(v)) != 1 or not v.isalpha() for v in source.values):
            continue
        head = _shared_head(source.values)
        tail = _shared_head([v[::-1] for v in source.values])
        for left, right in {(head, 0), (0, tail), (head, tail)} - {(0, 0)}:
            if all(len(v) > left + right for v in source.values):
                yield Source(
                    tuple((a + left, b - right) for a, b in source.spans),
                    tuple(v[left : len(v) - right] for v in source.values),
                    source.cost + _STRIPPED,
                )


def _shared_head(values: Sequence[str]) -> int:
    """How many characters all values begin with."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*values, strict=False)))


def aligned_pieces(sources: Sequence[Source], answers: tuple[str, ...]) -> list[Piece]:
    """What the sources of aligned requests may have become in all answers."""
    found: list[Piece] = []
    for source in sources:
        examples = Examples(source.values, answers)
        for family in CALENDAR_FAMILIES if source.calendar else FAMILIES:
            for transformation in family(examples):
                found += _checked(transformation, [source], answers, 0.0)
    numeric = [s for s in sources if not s.calendar and all(_numeric(v) for v in s.values)][:_PAIRS]
    pairs = [(a, b) for a in numeric for b in numeric if a is not b]
    for first, second in pairs:
        for pair_family in PAIR_FAMILIES:
            for made in pair_family(Examples(first.values, answers), Examples(second.values, answers)):
                found += _checked(made, [first, second], answers, choice_bits(len(pairs)))
    return cheapest(found)


def _numeric(value: str) -> bool:
    found = atoms(value)
    return len(found) == 1 and found[0].kind in ("number", "code")


def _checked(
    transformation: Transformation, sources: Sequence[Source], answers: Sequence[str], extra: float
) -> Iterator[Piece]:
    """The piece, where its output stands in every answer."""
    outputs: list[str] = []
    for i, answer in enumerate(answers):
        output = transformation.apply([s.values[i] for s in sources])
        if not output or output not in answer:
            return
        outputs.append(output)
    cost = transformation.cost + sum(s.cost for s in sources)
    spans = tuple((tuple(s.spans[i] for s in sources),) for i in range(len(answers)))
    inputs = tuple("\0".join(s.values[i] for s in sources) for i in range(len(answers)))
    yield Piece(transformation, spans, inputs, tuple(outputs), cost, cost + extra)


def cheapest(pieces: Sequence[Piece]) -> list[Piece]:
    """Of pieces with the same outputs those that are no dearer than an alternative may be."""
    least: dict[tuple[str, ...], float] = {}
    for piece in pieces:
        least[piece.outputs] = min(piece.cost, least.get(piece.outputs, piece.cost))
    return [p for p in pieces if p.cost <= least[p.outputs] + MARGIN]


# Labels


def label_pieces(sources: Sequence[Source], requests: Sequence[str], answers: tuple[str, ...]) -> list[Piece]:
    """Varying parts of the answers that a source's value always had, where values are repeated."""
    aligned = align(answers)
    found: list[Piece] = []
    for gap in aligned.gaps():
        parts = [*columns(aligned, gap), tuple(gap)] if all(a < b for a, b in gap) else []
        for part in dict.fromkeys(parts):
            target = source_of(answers, aligned, part, 0.0)
            if target.varies and not _copied(target.values, requests):
                found += [p for s in sources if (p := _label(s, target.values))]
    return found


def _copied(labels: Sequence[str], requests: Sequence[str]) -> bool:
    """Whether a label stands in its own request: then it was rather copied, from where nobody knows."""
    return any(a.casefold() in b.casefold() for a, b in zip(labels, requests, strict=True))


def _label(source: Source, labels: tuple[str, ...]) -> Piece | None:
    known: dict[str, str] = {}
    for value, label in zip(source.values, labels, strict=True):
        if known.setdefault(value, label) != label:
            return None
    counts = Counter(source.values)
    repeated = {value: label for value, label in known.items() if counts[value] > 1}
    confirmations = sum(counts[value] - 1 for value in repeated)
    # A piece without letters is rather computed than looked up.
    enough = 2 if any(c.isalpha() for c in labels[0]) else 4  # repetitions, by judgement
    if source.calendar or confirmations < enough or len(set(repeated.values())) < 2:
        return None
    made = Transformation("the label that {} always has", _LABEL, lambda v: repeated.get(v[0]))
    spans = tuple(((span,),) for span in source.spans)
    return Piece(made, spans, source.values, labels, _LABEL + source.cost, 0.0)
