"""How all answers of a form are made, read off at once (after FlashFill, Gulwani 2011).

A state is one position in each answer. An edge leads to a later position in each: by a constant text, or by
a transformation of sources whose output stands there in every answer. The cheapest path is the explanation;
every edge on a path nearly as cheap is kept, so that a new answer is known only where all of them agree.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nightschool.lessons.atoms import is_combining, run_class
from nightschool.lessons.proposals import Transformation, bits

# Costs are in bits, set by judgement; tests/lessons/test_formats.py checks that no twin is wrong under them.
MARGIN = 3.6  # explanations that cost no more than this above the cheapest are alternatives to it
EVIDENCE = 4.0  # bits by which what a transformation explains must exceed what it costs
_CUT, _HUMP = 6.0, 3.0  # a border inside a run of letters or digits; between the words of camelCase
_RUN, _PART, _MARK, _SPACE = 3.0, 3.0, 0.5, 0.25  # constants
_WORK = 30_000  # states times answers; more than this is no explanation for people either

Span = tuple[int, int]
State = tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """A transformation that made a part of every answer: `outputs[i]` of `inputs[i]` in case i.

    `sources[i]` are the alternatives there: the spans of the request that it may have been applied to.
    `evidence_cost` is `cost` and what choosing this piece among others costs.
    """

    transformation: Transformation
    sources: tuple[tuple[tuple[Span, ...], ...], ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    cost: float
    evidence_cost: float

    @property
    def varies(self) -> bool:
        return len(set(self.outputs)) > 1

    @property
    def confirmed(self) -> bool:
        """Whether different values of at least two cases say so, clearly enough."""
        distinct = dict(zip(self.inputs, self.outputs, strict=True))
        outputs = set(distinct.values())
        # Another value with an output that was seen before tells little, but something.
        told = sum(bits(output) for output in outputs) + len(distinct) - len(outputs)
        return len(distinct) > 1 and told - self.evidence_cost >= EVIDENCE


@dataclass(frozen=True)
class Edge:
    start: State
    end: State
    piece: Piece | None  # None: a constant
    text: str = ""


@dataclass(frozen=True)
class Explanation:
    """The edges of all explanations near the cheapest, earlier ones first, and the cheapest path itself."""

    edges: tuple[Edge, ...]
    path: tuple[Edge, ...]

    @property
    def pieces(self) -> list[Piece]:
        return [edge.piece for edge in self.edges if edge.piece]

    def answer(self, case: int, value: Callable[[Span], str | None]) -> str | None:
        """The answer to a request in which each span has the given value; None where explanations differ."""
        made: dict[State, str] = {self.path[0].start: ""}
        for edge in self.edges:
            before = made.get(edge.start)
            if before is None:
                return None
            for output in _outputs(edge, case, value):
                if output is None or made.setdefault(edge.end, before + output) != before + output:
                    return None
        return made.get(self.path[-1].end)


def _outputs(edge: Edge, case: int, value: Callable[[Span], str | None]) -> Iterator[str | None]:
    if edge.piece is None:
        yield edge.text
        return
    for spans in edge.piece.sources[case]:
        values = [text for text in map(value, spans) if text is not None]
        yield edge.piece.transformation.apply(values) if len(values) == len(spans) else None


def explain(answers: Sequence[str], pieces: Sequence[Piece]) -> Explanation | None:
    """The explanations of all answers by constants and pieces; None where there is none, where nothing
    varies, or where the cheapest is not confirmed."""
    goal = tuple(len(answer) for answer in answers)
    found = _search(tuple(answers), _by_first(pieces), goal)
    if found is None:
        return None
    costs, edges = found
    kept, path = _near(costs, edges, goal)
    varying = [edge.piece for edge in path if edge.piece]
    if not any(piece.varies for piece in varying) or not all(p.confirmed for p in varying if p.varies):
        return None
    return Explanation(kept, path)


def _by_first(pieces: Sequence[Piece]) -> dict[str, list[Piece]]:
    found: dict[str, list[Piece]] = {}
    for piece in pieces:
        found.setdefault(piece.outputs[0][0], []).append(piece)
    return found


Weighted = tuple[float, Edge]


def _search(
    answers: tuple[str, ...], pieces: dict[str, list[Piece]], goal: State
) -> tuple[dict[State, float], list[Weighted]] | None:
    """Dijkstra from the start: the cost to each state, and every edge that was seen."""
    start = tuple(0 for _ in answers)
    costs, edges, done = {start: 0.0}, list[Weighted](), set[State]()
    queue = [(0.0, start)]
    limit = float("inf")
    while queue and queue[0][0] <= limit:
        cost, state = heapq.heappop(queue)
        if state in done:
            continue
        done.add(state)
        if state == goal:
            limit = cost + MARGIN
            continue
        if len(done) * len(answers) > _WORK:
            return None
        for price, edge in _edges(answers, state, pieces):
            edges.append((price, edge))
            if cost + price < costs.get(edge.end, float("inf")):
                costs[edge.end] = cost + price
                heapq.heappush(queue, (cost + price, edge.end))
    return (costs, edges) if goal in done else None


def _edges(answers: tuple[str, ...], state: State, pieces: dict[str, list[Piece]]) -> Iterator[Weighted]:
    for size, cost in _constants(answers, state):
        end = tuple(p + size for p in state)
        yield cost + _cut(answers, end), Edge(state, end, None, answers[0][state[0] : end[0]])
    for piece in pieces.get(answers[0][state[0] : state[0] + 1], ()):
        if all(a.startswith(o, p) for a, o, p in zip(answers, piece.outputs, state, strict=True)):
            end = tuple(p + len(o) for p, o in zip(state, piece.outputs, strict=True))
            yield piece.cost + _cut(answers, end), Edge(state, end, piece)


def _constants(answers: tuple[str, ...], state: State) -> Iterator[tuple[int, float]]:
    """The lengths of constants that may follow, with their costs: a whole run, or what of it is shared."""
    first, at = answers[0], state[0]
    if at >= len(first):
        return
    size = _run(first, at)
    shared = 0
    while shared < size and all(
        a[p + shared : p + shared + 1] == first[at + shared] for a, p in zip(answers, state, strict=True)
    ):
        shared += 1
    kind = run_class(first[at])
    if shared == size:
        yield size, _SPACE if kind == " " else _RUN if first[at].isalnum() else _MARK
    else:
        yield from ((k, _PART) for k in range(1, shared + 1))


def _run(text: str, at: int) -> int:
    kind, end = run_class(text[at]), at + 1
    while end < len(text) and (is_combining(text[end]) or (kind and run_class(text[end]) == kind)):
        end += 1
    return end - at


def _cut(answers: tuple[str, ...], state: State) -> float:
    """What a border costs: most inside a run of letters or digits of any answer."""
    return max(_cut_in(answer, at) for answer, at in zip(answers, state, strict=True))


def _cut_in(answer: str, at: int) -> float:
    if not 0 < at < len(answer):
        return 0.0
    left, right = answer[at - 1], answer[at]
    if is_combining(right):
        return 4 * _CUT
    if run_class(left) not in ("a", "0") or run_class(left) != run_class(right):
        return 0.0
    return _HUMP if left.islower() and right.isupper() else _CUT


def _near(
    costs: dict[State, float], edges: Sequence[Weighted], goal: State
) -> tuple[tuple[Edge, ...], tuple[Edge, ...]]:
    """The edges on paths near the cheapest, in order of their starts, and the cheapest path."""
    rest, best = {goal: 0.0}, dict[State, Weighted]()
    for price, edge in sorted(edges, key=lambda e: -sum(e[1].start)):
        if edge.end in rest and price + rest[edge.end] < rest.get(edge.start, float("inf")):
            rest[edge.start] = price + rest[edge.end]
            best[edge.start] = (price, edge)
    limit = costs[goal] + MARGIN
    near = [
        edge
        for price, edge in edges
        if edge.end in rest and costs[edge.start] + price + rest[edge.end] <= limit + 1e-9
    ]
    path: list[Edge] = []
    state = tuple(0 for _ in goal)
    while state != goal:
        path.append(best[state][1])
        state = path[-1].end
    return tuple(sorted(near, key=lambda e: sum(e.start))), tuple(path)
