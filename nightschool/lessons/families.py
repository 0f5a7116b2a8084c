"""Which exchanges are alike: a tree from all of them down to pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from nightschool.lessons.alignment import align
from nightschool.lessons.atoms import TURN, atoms

ALIKE = 1 / 2  # of the atoms that requests of one form have in common (chosen)


@dataclass(frozen=True)
class Case:
    """One exchange as two texts."""

    request: str
    answer: str


@dataclass(frozen=True)
class Tree:
    """Cases (by their positions), parted into ever more alike ones."""

    members: tuple[int, ...]
    children: tuple[Tree, ...] = ()


def tree(cases: Sequence[Case]) -> Tree | None:
    """Agglomerative clustering by average similarity; None of no cases."""
    nodes = [Tree((k,)) for k in range(len(cases))]
    if not nodes:
        return None
    near = {(a, b): likeness(cases[a], cases[b]) for a in range(len(cases)) for b in range(a)}

    def average(left: Tree, right: Tree) -> float:
        pairs = [near[max(a, b), min(a, b)] for a in left.members for b in right.members]
        return sum(pairs) / len(pairs)

    worth = {(i, j): average(nodes[i], nodes[j]) for i in range(len(nodes)) for j in range(i)}
    live = set(range(len(nodes)))
    while len(live) > 1:
        i, j = max(worth, key=lambda pair: (worth[pair], pair))
        nodes.append(Tree(tuple(sorted(nodes[i].members + nodes[j].members)), (nodes[j], nodes[i])))
        live -= {i, j}
        worth = {pair: value for pair, value in worth.items() if not {i, j} & set(pair)}
        worth |= {(len(nodes) - 1, k): average(nodes[-1], nodes[k]) for k in live}
        live.add(len(nodes) - 1)
    return nodes[-1]


def likeness(left: Case, right: Case) -> float:
    """How much of the atoms of two exchanges is common, numbers counted by their kind."""
    return overlap(left.request, right.request) + overlap(left.answer, right.answer)


def undecided(members: Sequence[Case], outside: Sequence[Case]) -> bool:
    """Whether nothing that the members' requests have in common can be why their answers have in common what
    others of their form have not: "wifi is down", "internet is down" are WEB, but "door is stuck" is GATE and
    "clinic door is stuck" CLINIC, so that another thing that is down need not be WEB."""
    turns = members[0].request.count(TURN)
    outside = [o for o in outside if o.request.count(TURN) == turns]
    near = [o for o in outside if any(overlap(o.request, m.request) > ALIKE for m in members)]
    asked = _own([c.request for c in (*members, *near)], len(members))
    said = _own([c.answer for c in (*members, *near)], len(members))
    return any(not any(_decides(why, what) for why in asked) for what in said)


def _own(texts: Sequence[str], members: int) -> list[tuple[str, ...]]:
    """What stands in each gap of the aligned texts that the first ones, the members, share, and not all."""
    aligned = align(texts)
    found = [
        tuple(" ".join(a.text for a in row[a:b]) for row, (a, b) in zip(aligned.texts, gap, strict=True))
        for gap in aligned.gaps()
    ]
    return [column for column in found if len({*column[:members]}) == 1 < len({*column})]


def _decides(why: Sequence[str], what: Sequence[str]) -> bool:
    """Whether what stands at one place tells what stands at the other."""
    return len({*zip(why, what, strict=True)}) == len({*why})


def overlap(left: str, right: str) -> float:
    """The share of the atoms of two texts that they have in common, numbers counted by their kind."""
    a, b = _bag(left), _bag(right)
    total = sum(a.values()) + sum(b.values())
    return 2 * sum((a & b).values()) / total if total else 1.0


@lru_cache(maxsize=1024)
def _bag(text: str) -> Counter[str]:
    return Counter(a.text if a.kind in ("word", "mark") else a.kind for a in atoms(text))
