"""Which of a session's requests get labels: evidence of the session as a whole, where two turns alone say too
little. Pure, and of no language."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from nightschool.lessons.atoms import atoms
from nightschool.lessons.evidence import Said, sequence
from nightschool.lessons.numerals import other_digits, plain, written
from nightschool.seeds import seed_of


@dataclass(frozen=True)
class _Headed:
    """A request with a heading such as "Ticket 8392:". `position` is its place among all of the session."""

    position: int
    head: tuple[str, ...]  # the heading's atoms without the number
    number: str
    rest: tuple[str, ...]


def labelled(said: Sequence[Said]) -> list[frozenset[int]]:
    """Groups of requests, by position, each about something else and answered with a label.

    Their headings are the same up to a number, which is the name of what they are about: nothing else in the
    session has it, and they are not just counted (a second question often needs the first). Each says
    something of its own, and there are fewer answers than requests, but several."""
    groups = defaultdict[tuple[str, ...], list[_Headed]](list)
    for position, one in enumerate(said):
        if one.answer and (found := _headed(position, one.request)):
            groups[found.head].append(found)
    return [frozenset(one.position for one in group) for group in groups.values() if _labels(group, said)]


def renumbered(request: str, *seed: object) -> str:
    """A labelled request with another number in its heading, written alike: the label does not hang on it."""
    number = next(atom for atom in atoms(request) if atom.text.isdecimal())
    other = other_digits(plain(number.text), Random(seed_of(request, *seed)))
    return request[: number.start] + written(other, number.text) + request[number.end :]


def _headed(position: int, request: str) -> _Headed | None:
    row = sequence(request, marks=True)
    n = next((n for n, atom in enumerate(row) if atom.isdecimal()), len(row))
    if (
        n + 2 >= len(row)
        or not any(atom.isalpha() for atom in row[:n])
        or atoms(request)[n + 1].kind != "mark"
    ):
        return None
    return _Headed(position, (*row[:n], row[n + 1]), row[n], tuple(row[n + 2 :]))


def _labels(group: Sequence[_Headed], said: Sequence[Said]) -> bool:
    answers = {said[one.position].answer for one in group}
    if not 1 < len(answers) < len(group) or len({one.rest for one in group}) < len(group):
        return False
    if any(abs(int(b.number) - int(a.number)) <= 1 for a, b in pairwise(group)):
        return False
    everything = [atom for one in said for text in (one.request, one.answer) for atom in sequence(text)]
    return all(everything.count(one.number) == 1 for one in group)
