"""A lesson in tokens: what the student sees, what the teacher sees, and the session they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nightschool.errors import DreamError
from nightschool.models.cache import PrefixCache
from nightschool.models.hf import HFModel, common_length
from nightschool.types import Lesson, Message, PracticeRequest


@dataclass(frozen=True)
class Drill:
    """One practice request. The teacher prompts stand behind the lesson's prefix."""

    id: str
    student: tuple[int, ...]
    teacher: tuple[int, ...]
    informed: tuple[int, ...] | None = None  # the teacher prompt that has the right answer one turn before
    answer: tuple[int, ...] | None = None  # the right answer, known or the teacher's own; EOS included


@dataclass(frozen=True)
class Course:
    """A lesson ready to be practised: the session's key-value cache, computed once, and the drills."""

    session_id: str
    prefix: PrefixCache
    drills: tuple[Drill, ...]


def course(model: HFModel, lesson: Lesson, requests: Sequence[PracticeRequest], version: str) -> Course:
    """Encode `requests` of a lesson, taught by `version` (the live one) with the session in its context.

    Raises DreamError where the session leaves no room for a request in the model's context window.
    """
    teacher = [model.encode(teacher_turns(lesson, r), lesson.tools) for r in requests]
    informed = [_informed(model, lesson, r) for r in requests]
    # The longest common beginning, whatever the chat template does to earlier turns.
    shared = common_length([*teacher, *(i for i in informed if i)])
    longest = max(len(t) for t in [*teacher, *(i for i in informed if i)])
    if longest >= model.context_length:
        raise DreamError(
            f"session {lesson.session_id} needs {longest} tokens, more than the model's context of "
            f"{model.context_length}: it cannot teach whole (import a shorter part of it)"
        )
    drills = tuple(
        Drill(
            id=request.id,
            student=tuple(model.encode(request.messages, lesson.tools)),
            teacher=tuple(plain[shared:]),
            informed=tuple(knowing[shared:]) if knowing else None,
            answer=tuple(model.encode_answer(request.expected)) if request.expected is not None else None,
        )
        for request, plain, knowing in zip(requests, teacher, informed, strict=True)
    )
    return Course(lesson.session_id, model.prefix(teacher[0][:shared], version), drills)


def teacher_turns(lesson: Lesson, request: PracticeRequest) -> list[Message]:
    """The session as chat turns, then the request's own (its system turn stands in the session already)."""
    own = [m for m in request.messages if m.role != "system"]
    return [*lesson.context, *own]


def _informed(model: HFModel, lesson: Lesson, request: PracticeRequest) -> list[int] | None:
    if request.expected is None:
        return None
    own = [m for m in request.messages if m.role != "system"]
    told = [*lesson.context, *own, Message("assistant", request.expected), *own]
    return model.encode(told, lesson.tools)
