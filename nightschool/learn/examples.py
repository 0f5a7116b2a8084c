"""A lesson in tokens: what the student sees, what the teacher sees, and the session they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from torch import Tensor

from nightschool.engines.base import Engine, answers
from nightschool.errors import DreamError
from nightschool.models.cache import PrefixCache, common_length
from nightschool.models.hf import HFModel
from nightschool.types import Drop, Lesson, Message, PracticeRequest, Probe


@dataclass(frozen=True)
class Example:
    """One practice request. The teacher prompts stand behind the lesson's prefix."""

    id: str
    student: tuple[int, ...]
    teacher: tuple[int, ...]
    informed: tuple[int, ...] | None = None  # the teacher prompt that has the right answer one turn before
    answer: tuple[int, ...] | None = None  # the right answer, known or the teacher's own; EOS included
    checked: bool = False  # whether that answer is known to be right
    kind: str = "recorded"  # of the practice request
    text: str = ""  # its last turn
    turns: int = 1  # that the request consists of
    teacher_hidden_AW: Tensor | None = (
        None  # the teacher's final hidden states that predict the answer's tokens
    )

    def probe(self, answer: tuple[int, ...]) -> Probe:
        """The check that the student answers so."""
        return Probe(self.id, self.student, answer, self.text if self.turns == 1 else "")


@dataclass(frozen=True)
class Course:
    """A lesson ready to be practised: the session's key-value cache, computed once by the version that
    teaches, and the examples."""

    session_id: str
    teacher: str
    prefix: PrefixCache
    examples: tuple[Example, ...]


def course(model: HFModel, lesson: Lesson, requests: Sequence[PracticeRequest], version: str) -> Course:
    """Encode `requests` of a lesson, taught by `version` with the session in its context.

    Raises DreamError where the session leaves no room for a request in the model's context window.
    """
    prompts = [_prompts(model, lesson, request) for request in requests]
    behind = [tokens for _, plain, knowing in prompts for tokens in (plain, knowing) if tokens]
    # The longest common beginning, whatever the chat template does to earlier turns.
    shared = common_length(behind)
    if (longest := max(map(len, behind))) >= model.context_length:
        raise DreamError(
            f"session {lesson.session_id} needs {longest} tokens, more than the model's context of "
            f"{model.context_length}"
        )
    examples = tuple(
        Example(
            id=request.id,
            student=tuple(student),
            teacher=tuple(plain[shared:]),
            informed=tuple(knowing[shared:]) if knowing else None,
            answer=tuple(model.encode_answer(request.expected)) if request.expected is not None else None,
            checked=request.expected is not None,
            kind=request.kind,
            text=request.messages[-1].content,
            turns=request.turns,
        )
        for request, (student, plain, knowing) in zip(requests, prompts, strict=True)
    )
    return Course(lesson.session_id, version, model.prefix(behind[0][:shared], version), examples)


def _prompts(
    model: HFModel, lesson: Lesson, request: PracticeRequest
) -> tuple[list[int], list[int], list[int] | None]:
    """The student's, the teacher's (the session as chat turns, then the request itself: what stands before it
    is in the session already), and that of a teacher who has the right answer one turn before."""
    own = request.messages[-request.turns :]
    knowing = None
    if request.expected is not None:
        told = [*lesson.context, *own, Message("assistant", request.expected), *own]
        knowing = model.encode(told, lesson.tools)
    return (
        model.encode(request.messages, lesson.tools),
        model.encode([*lesson.context, *own], lesson.tools),
        knowing,
    )


def answered(model: Engine, lesson: Lesson, texts: Sequence[str], version: str, longest: int) -> list[str]:
    """What `version` says to each of these user turns with the session in its context."""
    prompts = [model.encode([*lesson.context, Message("user", t)], lesson.tools) for t in texts]
    if not prompts:
        return []
    shared = common_length(prompts)
    prefix = model.prefix(prompts[0][:shared], version)
    return answers(model, [p[shared:] for p in prompts], version, longest, prefix)


def stretches(
    model: HFModel, lesson: Lesson, requests: Sequence[PracticeRequest], answer: int
) -> tuple[list[Lesson], list[Drop]]:
    """The lesson with its session in stretches that fit into the model's context window, with room for every
    request and `answer` tokens; just one for a session that fits whole. Stretches are cut between requests
    and overlap by one, and each begins with the system turns. A part that fits into none is dropped."""

    def tokens(turns: Sequence[Message]) -> int:
        return len(model.encode(turns, lesson.tools, generate=False))

    if not requests:
        return [lesson], []
    empty = replace(lesson, context=())
    asked = max(len(p) for r in requests for p in _prompts(model, empty, r)[1:] if p)
    room = model.context_length - asked - answer
    if tokens(lesson.context) <= room:
        return [lesson], []
    system = [m for m in lesson.context if m.role == "system"]
    out, drops, now = [], [], list[list[Message]]()
    for part in _parts(lesson.context):
        if tokens([*system, *part]) > room:
            drops.append(Drop(part[0].content, "too long for the model's context, even by itself"))
            continue
        if tokens([*system, *chain.from_iterable([*now, part])]) > room:
            out.append(now)
            overlap = now[-1:] if tokens([*system, *now[-1], *part]) <= room else []
            now = overlap
        now = [*now, part]
    whole = [[*system, *chain.from_iterable(parts)] for parts in [*out, now] if parts]
    return [replace(lesson, context=tuple(turns)) for turns in whole], drops


def _parts(context: Sequence[Message]) -> list[list[Message]]:
    """The session cut before each user turn."""
    out: list[list[Message]] = []
    for message in context:
        if message.role == "user" or (not out and message.role != "system"):
            out.append([])
        if message.role != "system":
            out[-1].append(message)
    return out
