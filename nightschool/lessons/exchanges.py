"""What was asked in a session, and what would have been right: its requests one by one."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from nightschool.engines.tools import render_assistant
from nightschool.lessons.entities import find
from nightschool.types import Drop, Message

# How a user begins when a turn only mends the answer before it.
_CORRECTS = re.compile(
    r"\s*(?:no\b|nope|not quite|wrong|that(?:'s| is| was)\b|it should|should be|actually|sorry|"
    r"correction|instead|again\b|almost|use\b|please use|try again|i meant|you forgot|remember)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Exchange:
    """One answer the model had to give.

    `asked` goes from the user's request up to the answer, calls and tool results included; `before` are the
    turns before it. `answer` is the right one as the model writes it (tool calls in plain text), None where
    nobody knows. `step` counts the answers of one request.
    """

    before: tuple[Message, ...]
    asked: tuple[Message, ...]
    answer: str | None
    step: int = 0


@dataclass(frozen=True)
class Task:
    """A request with everything up to the next one. `parts` are (start, end) in the session, each from a user
    turn on: the request itself, then what only followed it up."""

    parts: tuple[tuple[int, int], ...]


def tasks(context: Sequence[Message]) -> tuple[list[Task], list[Drop]]:
    """The requests of a session. A turn that only follows an earlier one up is no request of its own."""
    starts = [i for i, m in enumerate(context) if m.role == "user"]
    found: list[Task] = []
    drops: list[Drop] = []
    for start, end in pairwise([*starts, len(context)]):
        turn, part = context[start].content, (start, end)
        if found and _follows_up(context[found[-1].parts[0][0]].content, turn, _answer(context, part)):
            drops.append(Drop(turn, "follows up an earlier request"))
            found[-1] = Task((*found[-1].parts, part))
        else:
            found.append(Task((part,)))
    return found, drops


def alone(context: Sequence[Message], task: Task, rejected: Collection[int] = ()) -> list[Exchange]:
    """Each answer that the request should have had at once, as if nothing had been said before: those of the
    last part that has any, which is the corrected one. `rejected`: turns that nobody wants."""
    request = context[task.parts[0][0]]
    answered = [part for part in task.parts if _assistant_turns(context, part)] or [task.parts[0]]
    start, end = answered[-1]
    system = tuple(m for m in context if m.role == "system")
    turns = _assistant_turns(context, (start, end))
    if not turns:
        return [Exchange(system, (request,), None)]
    return [
        Exchange(
            system,
            (request, *context[start + 1 : i]),
            None if i in rejected else render_assistant(context[i]).strip(),
            step,
        )
        for step, i in enumerate(turns)
    ]


def replays(context: Sequence[Message], task: Task, rejected: Collection[int] = ()) -> list[Exchange]:
    """Each answer where it was given, with all that had been said until then (hindsight: whoever teaches it
    knows what came after). A turn that was corrected should have been what the correction led to."""
    first = task.parts[0][0]
    out = []
    for n, part in enumerate(task.parts):
        later = task.parts[n + 1 :]
        corrected = any(_CORRECTS.match(context[start].content) for start, _ in later)
        for step, i in enumerate(_assistant_turns(context, part)):
            right: str | None = render_assistant(context[i]).strip()
            if corrected or i in rejected:
                right = _last_word(context, later, rejected)
            out.append(Exchange(tuple(context[:first]), tuple(context[first:i]), right, step))
    return out


def _last_word(
    context: Sequence[Message], later: Sequence[tuple[int, int]], rejected: Collection[int]
) -> str | None:
    """The only answer of the last part, if there is just one."""
    turns = _assistant_turns(context, later[-1]) if later else []
    return (
        render_assistant(context[turns[0]]).strip() if len(turns) == 1 and turns[0] not in rejected else None
    )


def _assistant_turns(context: Sequence[Message], part: tuple[int, int]) -> list[int]:
    """Where the model said something."""
    return [
        i for i in range(*part) if context[i].role == "assistant" and render_assistant(context[i]).strip()
    ]


def _answer(context: Sequence[Message], part: tuple[int, int]) -> str:
    turns = _assistant_turns(context, part)
    return render_assistant(context[turns[-1]]) if turns else ""


def _follows_up(request: str, turn: str, answer: str) -> bool:
    """Whether a turn mends the answer to an earlier request: it says so, or its answer speaks of that
    request's entities and of none of its own."""
    if _CORRECTS.match(turn):
        return True
    own, earlier = {e.text for e in find(turn)}, {e.text for e in find(request)}
    return not any(e in answer for e in own) and any(e in answer for e in earlier - own)
