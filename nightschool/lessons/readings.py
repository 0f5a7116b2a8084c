"""What was made of each of the user's turns, for the people whose session it is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from nightschool.lessons.exchanges import Exchange, Part, Thread, answered, in_place
from nightschool.types import Message, Reading

if TYPE_CHECKING:
    from nightschool.lessons.build import Understood

_HANGS = {
    "stands": "follows up the turn before",
    "replaced": "mends the answer before",
    "unknown": "unknown",
}


def readings(
    context: Sequence[Message],
    understood: Understood,
    rejected: Collection[int] = (),
    reliable: Mapping[Exchange, bool] | None = None,
) -> tuple[Reading, ...]:
    """A reading of each user turn, in their order. `rejected` are positions of answers that nobody wanted,
    `reliable` says of exchanges whether the model answered them when they were left out."""
    explained = {
        id(understood.known[k]): n for n, pattern in enumerate(understood.patterns) for k in pattern.cases
    }
    found = []
    for thread in understood.threads:
        opening, *others = thread.parts
        turn = context[opening.start]
        steps = [e for e in understood.exchanges if e.request[0] is turn]  # several in a tool flow
        answer = steps[-1].answer if steps else None
        role = "stands alone" if answer is not None else f"unknown: {_unknown(context, thread)}"
        by = [explained[id(e)] for e in steps if id(e) in explained]
        right = [(reliable or {})[e] for e in steps if e in (reliable or {})]
        pattern = by[-1] if by else None
        found.append(Reading(turn.content, answer, role, pattern, all(right) if right else None))
        placed = {opening.start + len(e.request): e.answer for e in in_place(context, thread, rejected)}
        found += [_hanging(context, part, placed) for part in others]
    return tuple(found)


def _unknown(context: Sequence[Message], thread: Thread) -> str:
    """Why nobody knows the right answer to a thread's request."""
    if not answered(context, thread.parts[0]):
        return "was not answered"
    return "its answer was not wanted" if thread.right() else "its answer may have been corrected later"


def _hanging(context: Sequence[Message], part: Part, placed: dict[int, str | None]) -> Reading:
    """The reading of a turn that belongs to one before it; `placed` are right answers by position."""
    turn, answers = context[part.start].content, answered(context, part)
    if not answers:
        return Reading(turn, None, "unknown: was not answered")
    return Reading(turn, placed.get(answers[-1]), f"{_HANGS[part.earlier]}: {part.why}")
