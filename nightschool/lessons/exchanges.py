"""A session's requests one by one: what was asked, and what would have been the right answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from nightschool.engines.tools import render_assistant
from nightschool.lessons.evidence import Earlier, Judgement, Said, asks_anew, judge, reopens, shared
from nightschool.lessons.hindsight import Hindsight
from nightschool.types import Drop, Message

_EARLIER = 16  # threads before the last one whose form a request may have; bounds what a long session costs


@dataclass(frozen=True)
class Exchange:
    """One answer that the model had to give.

    before   the turns that stand before the request
    request  the user's turn and what followed it up to the answer, tool calls and their results included
    answer   the right answer as the model writes it (tool calls in plain text), or None if it is not known
    step     how many answers to the same request came before this one
    learned  whether it is to be practised: an imported answer of weight 0 is not
    """

    before: tuple[Message, ...]
    request: tuple[Message, ...]
    answer: str | None
    step: int = 0
    learned: bool = field(default=True, compare=False)


@dataclass(frozen=True)
class Part:
    """A user's turn and all up to the next one: positions `start` to `end` of the session, what becomes of
    the answer before, and why it hangs on that (for people). `overlap` is as in `Judgement`."""

    start: int
    end: int
    earlier: Earlier = "stands"
    why: str = ""
    overlap: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Thread:
    """A request that can be asked by itself, and the parts that hang on it, such as corrections. `doubted`: a
    later request may have corrected its last answer."""

    parts: tuple[Part, ...]
    doubted: bool = False

    def right(self, after: int = 0) -> Part | None:
        """The part whose answers are right for part `after`, as far as the session goes; None if nobody can
        say."""
        later = self.parts[after + 1 :]
        if self.doubted or any(part.earlier == "unknown" for part in later):
            return None  # and what is corrected after that may be something else
        return next((part for part in reversed(later) if part.earlier == "replaced"), self.parts[after])


def threads(
    context: Sequence[Message],
    comments: Collection[int] = (),
    alike: Callable[[], Collection[Collection[int]]] = tuple,
    hindsight: Hindsight | None = None,
    follow: Callable[[], Mapping[int, Earlier]] = dict,
) -> tuple[list[Thread], list[Drop]]:
    """A session's threads, and the user turns that begin none.

    `comments` are positions of user turns that say what was wrong with the answer before. `alike` gives
    groups of positions of user turns whose answers are known to be made in one way: none of a group corrects
    another. `follow` says of positions of user turns that are known to follow something up what becomes of
    the answer before. Where texts do not suffice, `hindsight` settles what it can."""
    found: list[Thread] = []
    drops: list[Drop] = []
    for part in parts(context):
        if not found:
            found.append(Thread((part,)))
            continue
        thread = found[-1]
        judgement = _judge(context, found, part, comments, alike, hindsight, follow)
        if part.start not in comments:
            found[:-1] = _doubted(context, found, part, judgement)
        if judgement.alone:
            if judgement.earlier == "unknown":
                found[-1] = Thread(thread.parts, doubted=True)
            found.append(Thread((part,)))
        else:
            joined = Part(part.start, part.end, judgement.earlier, judgement.why, judgement.overlap)
            found[-1] = Thread((*thread.parts, joined))
            drops.append(Drop(context[part.start].content, judgement.why))
    return found, drops


def turned(context: Sequence[Message]) -> list[Message] | None:
    """The session with its last thread first; None where it is one thread."""
    found, _ = threads(context)
    if len(found) < 2:
        return None
    system = [m for m in context if m.role == "system"]
    rows = [context[t.parts[0].start : t.parts[-1].end] for t in found]
    return [*system, *(m for row in reversed(rows) for m in row if m.role != "system")]


def parts(context: Sequence[Message]) -> Iterator[Part]:
    """The session cut before each user turn."""
    starts = [i for i, m in enumerate(context) if m.role == "user"]
    return (Part(start, end) for start, end in pairwise([*starts, len(context)]))


def _judge(
    context: Sequence[Message],
    found: Sequence[Thread],
    part: Part,
    comments: Collection[int],
    alike: Callable[[], Collection[Collection[int]]],
    hindsight: Hindsight | None,
    follow: Callable[[], Mapping[int, Earlier]],
) -> Judgement:
    opening = found[-1].parts[0]
    before = next(one for one in reversed(found[-1].parts) if one.start not in comments)
    if part.start in comments:
        return Judgement(False, "stands", "says what was wrong with the answer before")
    if not answered(context, part):
        return Judgement(False, "stands", "was not answered")
    if not answered(context, before):
        return Judgement(True, "stands", "follows a request without an answer")
    earlier = [_said(context, one.parts[0]) for one in found[-1 - _EARLIER : -1]]
    others = [_said(context, one) for one in parts(context) if not opening.start <= one.start <= part.start]
    judgement = judge(_said(context, opening), _said(context, before), _said(context, part), earlier, others)
    if not judgement.settled and any({opening.start, part.start} <= {*group} for group in alike()):
        return Judgement(True, "stands", "is answered in the same way")
    doubtful = judgement.overlap or (judgement.earlier == "unknown" and not judgement.settled)
    if doubtful and (becomes := follow().get(part.start)):
        why = "is worked out from what it says and from the request before"
        judgement = Judgement(False, becomes, why, settled=becomes != "unknown")
    if hindsight:
        places = ((one.start, answered(context, one)[-1]) for one in (before, part))
        return hindsight.settle(judgement, *places)
    return judgement


def _doubted(
    context: Sequence[Message], found: Sequence[Thread], part: Part, judgement: Judgement
) -> list[Thread]:
    """The threads before the last one; those are doubted whose answer this part may correct."""
    now = _said(context, part)
    sure = judgement.settled and judgement.earlier != "unknown"  # what this part is about
    asked = [context[thread.parts[0].start].content for thread in found]
    common = shared(asked)
    out = []
    for request, thread in zip(asked, found[:-1], strict=False):
        one = Said(request, _said(context, thread.right() or thread.parts[-1]).answer)
        doubted = asks_anew(one, now) or (not sure and reopens(one, now, common))
        out.append(replace(thread, doubted=thread.doubted or doubted))
    return out


def _said(context: Sequence[Message], part: Part) -> Said:
    answers = answered(context, part)
    return Said(context[part.start].content, render_assistant(context[answers[-1]]) if answers else "")


def standalone(context: Sequence[Message], thread: Thread, rejected: Collection[int] = ()) -> list[Exchange]:
    """The answers that the thread's request should have had, as if it opened the conversation: after a
    correction, the corrected ones. None is known where the right part is not, or its answer is `rejected`."""
    opening = context[thread.parts[0].start]
    system = tuple(m for m in context if m.role == "system")
    right = thread.right()
    if not right or not answered(context, right):
        return [Exchange(system, (opening,), None)]
    return [
        Exchange(
            system,
            (opening, *context[right.start + 1 : i]),
            _text(context, i, rejected),
            step,
            context[i].weight != 0,
        )
        for step, i in enumerate(answered(context, right))
    ]


def in_place(context: Sequence[Message], thread: Thread, rejected: Collection[int] = ()) -> list[Exchange]:
    """Each answer where it was given, behind everything that had been said until then.

    The right answer to a corrected turn is the one that the correction led to. Turns of which nobody can say
    what was right are left out.
    """
    first = thread.parts[0].start
    out = []
    for n, part in enumerate(thread.parts):
        right = thread.right(n)
        corrected = answered(context, right) if right else []
        if right != part and len(corrected) != 1:
            continue
        for step, i in enumerate(answered(context, part)):
            known = i if right == part else corrected[0]
            answer, learned = _text(context, known, rejected), context[known].weight != 0
            out.append(Exchange(tuple(context[:first]), tuple(context[first:i]), answer, step, learned))
    return out


def answered(context: Sequence[Message], part: Part) -> list[int]:
    """Positions of the model's answers in a part, but for empty ones."""
    return [
        i
        for i in range(part.start, part.end)
        if context[i].role == "assistant" and render_assistant(context[i]).strip()
    ]


def _text(context: Sequence[Message], position: int, rejected: Collection[int]) -> str | None:
    return None if position in rejected else render_assistant(context[position]).strip()
