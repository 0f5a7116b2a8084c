"""When the teacher's own answer counts as right, where nobody knows the right one.

It has to be right on what the session itself shows (each exchange asked again with all others in its context:
leave one out), to say the same whatever order the session's exchanges come in, and to say it to this request
rather than to any (contextual calibration, arXiv 2102.09690). Else its answer is a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nightschool.engines.base import gains, respond
from nightschool.learn.examples import PracticeSet, answered, behind
from nightschool.learn.rule import RuleContext
from nightschool.lessons.exchanges import turned
from nightschool.models.hf import HFModel
from nightschool.types import Lesson, Message

RELIABLE = 0.8  # share of the exchanges left out (chosen, not measured)


@dataclass(frozen=True)
class OwnAnswer:
    """What the teacher says, whether it came to an end, and why it is not to be believed, if so."""

    tokens: tuple[int, ...]
    ended: bool
    doubt: str | None = None


def own_answers(context: RuleContext, lesson: Lesson, practice: PracticeSet) -> dict[str, OwnAnswer]:
    """The teacher's answers to the examples of which nobody knows the right one, by id. `lesson` has the
    stretch of the session that the set is taught with."""
    open_ = [e for e in practice.examples if e.answer is None]
    if not open_:
        return {}
    model, longest = context.model, context.config.max_new_tokens
    generations = respond(model, [e.teacher for e in open_], practice.teacher, longest, practice.prefix)
    by_id = {request.id: request for request in (*lesson.practice, *lesson.held_back)}
    asked = [by_id[e.id].messages[-e.turns :] for e in open_]
    given = [tuple(g.tokens) for g in generations]
    doubts = _doubts(model, practice.teacher, lesson, asked, given, longest)
    return {
        e.id: OwnAnswer(answer, g.finish == "stop", doubt)
        for e, g, answer, doubt in zip(open_, generations, given, doubts, strict=True)
    }


def _doubts(
    model: HFModel,
    version: str,
    lesson: Lesson,
    asked: Sequence[Sequence[Message]],
    given: Sequence[tuple[int, ...]],
    longest: int,
) -> list[str | None]:
    share = lesson.reliability
    if share is not None and share < RELIABLE:
        reason = f"when left out, only {share:.0%} of the session's exchanges are answered right"
        return [reason] * len(asked)
    said = [model.decode(answer).strip() for answer in given]
    again, other = said, turned(lesson.context)
    if other is not None:
        again = answered(model, replace(lesson, context=tuple(other)), asked, version, longest)
    gained = _gains(model, version, lesson, asked, given)
    return [
        "the teacher says something else when the session comes in another order"
        if one != another
        else "the teacher would say that to any request"
        if gain <= 0
        else None
        for one, another, gain in zip(said, again, gained, strict=True)
    ]


def _gains(
    model: HFModel,
    version: str,
    lesson: Lesson,
    asked: Sequence[Sequence[Message]],
    given: Sequence[tuple[int, ...]],
) -> list[float]:
    """How much likelier each answer is to its request than to an empty one, in nats per token."""
    prefix, (*prompts, nothing) = behind(model, lesson, [*asked, (Message("user", ""),)], version)
    return gains(model, [*zip(prompts, given, strict=True)], nothing, version, prefix)
