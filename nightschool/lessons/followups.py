"""Turns that follow up a request: how their answers are made of it and of what they add, and what that says
about the answer before. Pure, and of no language.

The answer to a follow-up is right in its place, whether it corrects the one before or goes on from there. So
it is practised behind its request, with other values, wherever the session shows how both answers are made:
the answer between is then what its own pattern says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from nightschool.lessons.amounts import MARKS, read
from nightschool.lessons.atoms import SEPARATOR, TURN
from nightschool.lessons.evidence import Earlier
from nightschool.lessons.exchanges import Exchange, Part, Thread
from nightschool.lessons.explain import Piece
from nightschool.lessons.patterns import Case, Pattern
from nightschool.types import Message

Explain = Callable[[tuple[Case, ...]], Sequence[Pattern]]  # as `patterns`
Made = tuple[Pattern, int]  # an answer's pattern, and which member of it it is


@dataclass(frozen=True)
class FollowUps:
    """A session's follow-ups. `explained` are patterns of their answers, each with the positions of what it
    explains: the user's turn that opened the exchange, and the one that is answered. `earlier` says of turns
    whose answers need what they say what becomes of the answer before."""

    explained: tuple[tuple[Pattern, tuple[tuple[int, int], ...]], ...] = ()
    earlier: Mapping[int, Earlier] = field(default_factory=dict)


def follow_ups(
    context: Sequence[Message],
    found: Sequence[Thread],
    rejected: Collection[int],
    comments: Collection[int],
    explain: Explain,
) -> FollowUps:
    """The follow-ups of threads, where their texts leave open whether they correct something."""
    talks = [_talk(context, thread, rejected, comments) for thread in found]
    if all(len(talk) < 2 for talk in talks):
        return FollowUps()
    before: list[dict[int, Made]] = []  # what made each answer of the talks so far, by thread
    explained, earlier = list[tuple[Pattern, tuple[tuple[int, int], ...]]](), dict[int, Earlier]()
    for n in range(max(map(len, talks))):
        long = [t for t, talk in enumerate(talks) if len(talk) > n]
        found_now = explain(tuple(talks[t][n] for t in long))
        linked = [
            (made, tuple(long[k] for k in p.cases)) for p in found_now if (made := _linked(p, long, before))
        ]
        for pattern, members in linked if n else ():
            starts = [found[t].parts[n].start for t in members]
            explained.append(
                (pattern, tuple((found[t].parts[0].start, b) for t, b in zip(members, starts, strict=True)))
            )
            if _needs_its_turn(pattern, [talks[t][n - 1 : n + 1] for t in members], explain):
                right = _right(found, before[n - 1], members, n)
                earlier |= dict.fromkeys(starts, "stands" if right else "unknown")
        before.append({t: (pattern, k) for pattern, members in linked for k, t in enumerate(members)})
    return FollowUps(tuple(explained), earlier)


def behind_requests(
    context: Sequence[Message], follow: FollowUps, found: Sequence[Thread], first: int
) -> tuple[list[Exchange], list[Pattern]]:
    """The follow-ups that hang on these threads and correct nothing, each behind what it follows up, as if
    that opened the conversation, and their patterns. The exchanges count from `first`."""
    system = tuple(m for m in context if m.role == "system")
    hang = {(t.parts[0].start, p.start) for t in found for p in t.parts[1:] if p.earlier != "replaced"}
    exchanges, by = list[Exchange](), list[Pattern]()
    for pattern, places in follow.explained:
        if hang.issuperset(places):
            at = first + len(exchanges)
            by.append(replace(pattern, cases=tuple(range(at, at + len(places)))))
            exchanges += (
                Exchange(system, tuple(context[a : b + 1]), context[b + 1].content) for a, b in places
            )
    return exchanges, by


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


def _linked(pattern: Pattern, long: Sequence[int], before: Sequence[Mapping[int, Made]]) -> Pattern | None:
    """The pattern with what made the answers between its turns; None where that is not known."""
    given = [[made[long[k]] for made in before if long[k] in made] for k in pattern.cases]
    if any(len(one) < len(before) for one in given):
        return None
    return replace(pattern, given=tuple(map(tuple, given)))


def _right(found: Sequence[Thread], before: Mapping[int, Made], members: Sequence[int], n: int) -> bool:
    """Whether the answers before turn `n` of these threads are right, where that turn asks for more: they are
    made in one way, of all that varies in their requests, and nowhere was one of them corrected."""
    one = before[members[0]][0]
    if any(before[t][0] is not one for t in members):
        return False
    if any(slot.hidden for slots in one.slots for slot in slots):
        return False  # what the later answer is to be made of may be what the first one left out
    covered = (t for t, (other, _) in before.items() if other is one)
    corrected = {part.start for t in covered for part in found[t].parts if part.earlier == "replaced"}
    return corrected <= {found[t].parts[n].start for t in members}


def _needs_its_turn(pattern: Pattern, pairs: Sequence[Sequence[Case]], explain: Explain) -> bool:
    """Whether each later answer of these pairs needs what its own turn says.

    It cannot be made of what was said before. Where it can, the user may have wanted it so from the
    beginning, every time ("In capitals, please"). Nor does it just repeat what the turn says: then the user
    may have told what is right.
    """
    if not _adds(pattern, [len(before.request) for before, _ in pairs]):
        return False
    alone = tuple(Case(before.request, later.answer) for before, later in pairs)
    shown = (SEPARATOR.join((before.request, before.answer)) for before, _ in pairs)
    behind = tuple(Case(a, later.answer) for a, (_, later) in zip(shown, pairs, strict=True))
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
