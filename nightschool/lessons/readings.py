"""What was made of each of the user's turns, for the people whose session it is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
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

    def shown(turn: Message) -> tuple[str | None, int | None, bool | None]:
        """The answer to a turn that is practised, its pattern, and whether it is reliable."""
        steps = [e for e in understood.exchanges if _asks(e) is turn]  # several in a tool flow
        by = [explained[id(e)] for e in steps if id(e) in explained]
        right = [(reliable or {})[e] for e in steps if e in (reliable or {})]
        return (
            steps[-1].answer if steps else None,
            by[-1] if by else None,
            all(right) if right else None,
        )

    found = []
    for thread in understood.threads:
        opening, *others = thread.parts
        turn = context[opening.start]
        answer, pattern, reliably = shown(turn)
        role = "stands alone" if answer is not None else f"unknown: {_unknown(context, thread)}"
        found.append(Reading(turn.content, answer, role, pattern, reliably))
        placed = {opening.start + len(e.request): e.answer for e in in_place(context, thread, rejected)}
        for part in others:
            _, pattern, reliably = shown(context[part.start])
            found.append(replace(_hanging(context, part, placed), pattern=pattern, reliable=reliably))
    return tuple(found)


def _asks(exchange: Exchange) -> Message:
    """The user's turn that an exchange answers."""
    return next(m for m in reversed(exchange.request) if m.role == "user")


def _unknown(context: Sequence[Message], thread: Thread) -> str:
    """Why nobody knows the right answer to a thread's request."""
    if not answered(context, thread.parts[0]):
        return "was not answered"
    right = thread.right()
    if not right:
        return "its answer may have been corrected later"
    last = answered(context, right)[-1:]
    return (
        "its answer has weight 0"
        if any(context[i].weight == 0 for i in last)
        else "its answer was not wanted"
    )


def _hanging(context: Sequence[Message], part: Part, placed: dict[int, str | None]) -> Reading:
    """The reading of a turn that belongs to one before it; `placed` are right answers by position."""
    turn, answers = context[part.start].content, answered(context, part)
    if not answers:
        return Reading(turn, None, "unknown: was not answered")
    return Reading(turn, placed.get(answers[-1]), f"{_HANGS[part.earlier]}: {part.why}")
