"""A session's requests one by one: what was asked, and what would have been the right answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from nightschool.engines.tools import render_assistant
from nightschool.lessons.entities import find
from nightschool.types import Drop, Message

# How a turn begins that corrects the answer before it, in English only. It errs: "Sorry, one more: who leads
# Lyon?" counts as a correction, too.
_CORRECTS = re.compile(
    r"\s*(?:no\b|nope|not quite|wrong|that(?:'s| is| was)\b|it should|should be|actually|sorry|"
    r"correction|instead|again\b|almost|use\b|please use|try again|i meant|you forgot|remember)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Exchange:
    """One answer that the model had to give.

    before   the turns that stand before the request
    request  the user's turn and what followed it up to the answer, tool calls and their results included
    answer   the right answer as the model writes it (tool calls in plain text), or None if it is not known
    step     how many answers to the same request came before this one
    """

    before: tuple[Message, ...]
    request: tuple[Message, ...]
    answer: str | None
    step: int = 0


@dataclass(frozen=True)
class Request:
    """A user's request, and the turns up to the next one.

    `parts` are (start, end) positions in the session, each beginning with a user turn: first the request
    itself, then the turns that follow it up, such as corrections.
    """

    parts: tuple[tuple[int, int], ...]


def requests(context: Sequence[Message]) -> tuple[list[Request], list[Drop]]:
    """A session's requests, and the user turns that are none because they follow up an earlier one."""
    starts = [i for i, m in enumerate(context) if m.role == "user"]
    found: list[Request] = []
    drops: list[Drop] = []
    for start, end in pairwise([*starts, len(context)]):
        turn, part = context[start].content, (start, end)
        if found and _follows_up(context[found[-1].parts[0][0]].content, turn, _answer(context, part)):
            drops.append(Drop(turn, "follows up an earlier request"))
            found[-1] = Request((*found[-1].parts, part))
        else:
            found.append(Request((part,)))
    return found, drops


def standalone(
    context: Sequence[Message], request: Request, rejected: Collection[int] = ()
) -> list[Exchange]:
    """The answers that the request should have had, as if it opened the conversation.

    They are those of its last answered part: after a correction, the corrected ones. `rejected` are positions
    of answers that the user did not want; no right answer is known there.
    """
    opening = context[request.parts[0][0]]
    answered = [part for part in request.parts if _assistant_turns(context, part)] or [request.parts[0]]
    start, end = answered[-1]
    system = tuple(m for m in context if m.role == "system")
    turns = _assistant_turns(context, (start, end))
    if not turns:
        return [Exchange(system, (opening,), None)]
    return [
        Exchange(
            system,
            (opening, *context[start + 1 : i]),
            None if i in rejected else render_assistant(context[i]).strip(),
            step,
        )
        for step, i in enumerate(turns)
    ]


def in_place(context: Sequence[Message], request: Request, rejected: Collection[int] = ()) -> list[Exchange]:
    """Each answer where it was given, behind everything that had been said until then.

    The teacher knows what came after, so the right answer to a corrected turn is the one that the correction
    led to. `rejected` is as in `standalone`.
    """
    first = request.parts[0][0]
    out = []
    for n, part in enumerate(request.parts):
        later = request.parts[n + 1 :]
        corrected = any(_CORRECTS.match(context[start].content) for start, _ in later)
        for step, i in enumerate(_assistant_turns(context, part)):
            right: str | None = render_assistant(context[i]).strip()
            if corrected or i in rejected:
                right = _last_answer(context, later, rejected)
            out.append(Exchange(tuple(context[:first]), tuple(context[first:i]), right, step))
    return out


def _last_answer(
    context: Sequence[Message], later: Sequence[tuple[int, int]], rejected: Collection[int]
) -> str | None:
    """The last part's answer, if it has exactly one that was not rejected."""
    turns = _assistant_turns(context, later[-1]) if later else []
    return (
        render_assistant(context[turns[0]]).strip() if len(turns) == 1 and turns[0] not in rejected else None
    )


def _assistant_turns(context: Sequence[Message], part: tuple[int, int]) -> list[int]:
    """Positions of the model's answers that are not empty."""
    return [
        i for i in range(*part) if context[i].role == "assistant" and render_assistant(context[i]).strip()
    ]


def _answer(context: Sequence[Message], part: tuple[int, int]) -> str:
    turns = _assistant_turns(context, part)
    return render_assistant(context[turns[-1]]) if turns else ""


def _follows_up(request: str, turn: str, answer: str) -> bool:
    """Whether a turn corrects the answer to an earlier request: it says so, or its own answer contains
    entities of that request and none of the turn's."""
    if _CORRECTS.match(turn):
        return True
    own, earlier = {e.text for e in find(turn)}, {e.text for e in find(request)}
    return not any(e in answer for e in own) and any(e in answer for e in earlier - own)
