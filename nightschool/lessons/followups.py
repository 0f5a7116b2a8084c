"""Turns that follow up a request: how their answers are made of it and of what they add, and what that says
about the answer before. Pure, and of no language.

The answer to a follow-up is right in its place, whether it corrects the one before or goes on from there. So
it is practised behind its request, with other values, wherever the session shows how both answers are made:
the answer between is then what its own pattern says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from nightschool.engines.tools import render_assistant
from nightschool.lessons.amounts import MARKS, read
from nightschool.lessons.atoms import SEPARATOR, TURN
from nightschool.lessons.exchanges import Exchange, Part, Thread
from nightschool.lessons.explain import Piece
from nightschool.lessons.patterns import Case, Pattern
from nightschool.types import Message

Explain = Callable[[tuple[Case, ...]], Sequence[Pattern]]  # as `patterns`
Made = tuple[Pattern, int]  # an answer's pattern, and which member of it it is


@dataclass(frozen=True)
class FollowUps:
    """A session's follow-ups whose answers some pattern makes. `places` are the positions of the turn that
    opened each exchange, and of its own; `patterns` have indices of `exchanges`. `settled` are positions of
    user turns that leave the answer before them right."""

    exchanges: tuple[Exchange, ...] = ()
    places: tuple[tuple[int, int], ...] = ()
    patterns: tuple[Pattern, ...] = ()
    settled: frozenset[int] = frozenset()

    def within(self, found: Sequence[Thread]) -> tuple[tuple[Exchange, ...], list[Pattern]]:
        """The same without patterns of turns that hang on none of these threads, or correct something."""
        hang = {(thread.parts[0].start, part.start) for thread in found for part in _kept(thread)}
        whole = [p for p in self.patterns if all(self.places[k] in hang for k in p.cases)]
        at = sorted(k for pattern in whole for k in pattern.cases)
        moved = [replace(p, cases=tuple(map(at.index, p.cases))) for p in whole]
        return tuple(self.exchanges[k] for k in at), moved


def _kept(thread: Thread) -> Iterator[Part]:
    return (part for part in thread.parts[1:] if part.earlier != "replaced")


def follow_ups(
    context: Sequence[Message],
    found: Sequence[Thread],
    rejected: Collection[int],
    comments: Collection[int],
    explain: Explain,
) -> FollowUps:
    """The follow-ups of threads whose texts do not tell whether they correct something."""
    talks = [_talk(context, thread, rejected, comments) for thread in found]
    made: list[dict[int, Made]] = []  # of each turn of the talks, by thread
    out = FollowUps()
    for n in range(max(map(len, talks), default=0)):
        at = [t for t, talk in enumerate(talks) if len(talk) > n]
        if len(at) < 2 or (n == 0 and not any(len(talk) > 1 for talk in talks)):
            break
        by = [_linked(p, at, made) for p in explain(tuple(talks[t][n] for t in at))]
        linked = [p for p in by if p]
        made.append({at[k]: (p, member) for p in linked for member, k in enumerate(p.cases)})
        for pattern in linked if n else ():
            out = _with(out, context, found, pattern, at, n)
            if _goes_on(found, talks, made[n - 1], [at[k] for k in pattern.cases], pattern, n, explain):
                starts = {found[at[k]].parts[n].start for k in pattern.cases}
                out = replace(out, settled=out.settled | starts)
    return out


def _talk(
    context: Sequence[Message], thread: Thread, rejected: Collection[int], comments: Collection[int]
) -> list[Case]:
    """The turns of a thread, each with the user's turns before it, as far as each was answered at once, and
    is not known to correct anything."""

    def plain(part: Part) -> bool:
        turns = context[part.start : part.end]
        return (
            [m.role for m in turns] == ["user", "assistant"]
            and not turns[1].tool_calls
            and turns[1].content.strip() == turns[1].content != ""
            and not any(TURN in m.content for m in turns)
            and (part.earlier != "replaced" or part.overlap)
            and not {part.start, part.start + 1} & {*rejected, *comments}
        )

    parts = [*takewhile(plain, thread.parts)]
    said = [context[part.start].content for part in parts]
    answers = [context[part.start + 1].content for part in parts]
    return [Case(SEPARATOR.join(said[: n + 1]), answer) for n, answer in enumerate(answers)]


def _linked(pattern: Pattern, at: Sequence[int], made: Sequence[Mapping[int, Made]]) -> Pattern | None:
    """The pattern with what made the answers between its turns; None where that is not known."""
    before = [[earlier.get(at[k]) for earlier in made] for k in pattern.cases]
    given = tuple(tuple(one for one in row if one) for row in before)
    return replace(pattern, given=given) if all(len(row) == len(made) for row in given) else None


def _with(
    out: FollowUps,
    context: Sequence[Message],
    found: Sequence[Thread],
    pattern: Pattern,
    at: Sequence[int],
    n: int,
) -> FollowUps:
    """With the exchanges of one more pattern."""
    system = tuple(m for m in context if m.role == "system")
    places = [(found[at[k]].parts[0].start, found[at[k]].parts[n].start) for k in pattern.cases]
    exchanges = [Exchange(system, tuple(context[a : b + 1]), _answer(context, b)) for a, b in places]
    cases = tuple(range(len(out.exchanges), len(out.exchanges) + len(places)))
    return FollowUps(
        (*out.exchanges, *exchanges),
        (*out.places, *places),
        (*out.patterns, replace(pattern, cases=cases)),
        out.settled,
    )


def _answer(context: Sequence[Message], start: int) -> str:
    return render_assistant(context[start + 1])


def _goes_on(
    found: Sequence[Thread],
    talks: Sequence[Sequence[Case]],
    before: Mapping[int, Made],
    members: Sequence[int],
    pattern: Pattern,
    n: int,
    explain: Explain,
) -> bool:
    """Whether turn `n` of these threads asks for more, so that the answers before are right.

    Those are made in one way, of all that varies in their requests, and nowhere was one of them corrected.
    The later ones cannot be made of what was said before; they need the turn itself. Where they can, the
    user may have wanted them so from the beginning, every time ("In capitals, please"). Nor do they just
    repeat what it says: then the user may have told what is right.
    """
    asked = {id(before[t][0]) for t in members}
    one = before[members[0]][0]
    covered = [t for t, (other, _) in before.items() if other is one]
    if len(asked) > 1 or any(slot.hidden for slots in one.slots for slot in slots):
        return False
    corrected = {part.start for t in covered for part in found[t].parts if part.earlier == "replaced"}
    if corrected - {found[t].parts[n].start for t in members}:
        return False
    if not _adds(pattern, [len(talks[t][n - 1].request) for t in members]):
        return False
    asked_before = [talks[t][n - 1] for t in members]
    later = [talks[t][n].answer for t in members]
    alone = tuple(Case(a.request, b) for a, b in zip(asked_before, later, strict=True))
    shown = (SEPARATOR.join((a.request, a.answer)) for a in asked_before)
    behind = tuple(Case(a, b) for a, b in zip(shown, later, strict=True))
    return not explain(alone) and not explain(behind)


def _adds(pattern: Pattern, ends: Sequence[int]) -> bool:
    """Whether some of the answers is worked out from what stands behind `ends` in the requests, and nothing
    is just taken from there."""
    pieces = [e.piece for e in pattern.explanation.path if e.piece and e.piece.varies]
    needed = [p for p in pieces if all(map(all, _reaches(p, ends)))]
    touched = [p for p in pieces if any(map(any, _reaches(p, ends)))]
    return bool(needed) and not any(_told(p) for p in touched)


def _reaches(piece: Piece, ends: Sequence[int]) -> Iterator[list[bool]]:
    """Of each request, for each of the alternative sources whether any of it stands behind the end."""
    for sources, end in zip(piece.sources, ends, strict=True):
        yield [any(start >= end for start, _ in spans) for spans in sources]


def _told(piece: Piece) -> bool:
    """Whether every output is what it was made of, however it is written."""
    return all(_same(*both) for both in zip(piece.inputs, piece.outputs, strict=True))


def _same(one: str, other: str) -> bool:
    numbers = ((read(one, mark), read(other, mark)) for mark in MARKS)
    return one.casefold() == other.casefold() or any(a == b is not None for a, b in numbers)
