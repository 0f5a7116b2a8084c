"""A lesson in tokens: what the student sees, what the teacher sees, and the session they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

from torch import Tensor

from nightschool.engines.base import (
    Engine,
    Prefix,
    Text,
    Tokens,
    answers,
    common_length,
    prefilled,
    respond,
)
from nightschool.errors import DreamError
from nightschool.lessons.evidence import names_only
from nightschool.models.cache import PrefixCache
from nightschool.models.hf import HFModel
from nightschool.types import Drop, Lesson, Message, PracticeRequest, Probe

_WORDY = 8  # tokens that an answer in other words may be longer than twice the known one (chosen)


class Verifier(Protocol):
    """What says how right an answer is, such as a request's known answer."""

    def __call__(self, answer: Sequence[int]) -> float:
        """The reward of the answer's tokens (EOS included): 1.0 is right, 0.0 wrong."""
        ...


@dataclass(frozen=True)
class Says:
    """Right is what says just `expected` and ends there, however it is cut into tokens."""

    text: Text
    expected: str

    def __call__(self, answer: Sequence[int]) -> float:
        ended = bool(answer) and answer[-1] in self.text.eos
        return float(ended and self.text.decode(answer).strip() == self.expected.strip())


@dataclass(frozen=True)
class Names:
    """Right is what ends and names the first of `what` and none of the others, in any words."""

    text: Text
    what: tuple[str, ...]

    def __call__(self, answer: Sequence[int]) -> float:
        ended = bool(answer) and answer[-1] in self.text.eos
        return float(ended and names_only(self.text.decode(answer), self.what))


@dataclass(frozen=True)
class Example:
    """One practice request, in tokens. The teacher's prompts stand behind the prefix of its set."""

    id: str
    student: tuple[int, ...]  # the student's prompt
    teacher: tuple[int, ...]  # the teacher's prompt
    informed: tuple[int, ...] | None = None  # the teacher's with the right answer one turn before
    answer: tuple[int, ...] | None = None  # the reference: the known answer or the teacher's own, with EOS
    verifier: Verifier | None = None  # None: nothing can say what is right
    kind: str = "recorded"  # of the practice request
    text: str = ""  # the request's last turn
    turns: int = 1  # messages that the request consists of
    names: tuple[str, ...] = ()  # as in PracticeRequest
    teacher_hidden_AW: Tensor | None = None  # the teacher's hidden states that predict the reference

    def verify(self, answer: Sequence[int]) -> float:
        """The reward of an answer. Raises ValueError where nothing can say what is right."""
        if self.verifier is None:
            raise ValueError(f"example {self.id} has no verifier")
        return self.verifier(answer)

    def probe(self, answer: tuple[int, ...]) -> Probe:
        """The check that the student answers so."""
        return Probe(self.id, self.student, answer, self.text if self.turns == 1 else "", self.names)


@dataclass(frozen=True)
class PracticeSet:
    """Examples that share a session: its key-value cache, computed once by the version that teaches."""

    session_id: str
    teacher: str
    prefix: PrefixCache
    examples: tuple[Example, ...]


def practice_set(
    model: HFModel, lesson: Lesson, requests: Sequence[PracticeRequest], version: str
) -> PracticeSet:
    """Encode `requests` of a lesson, taught by `version` with the session in its context.

    Raises DreamError where the session leaves no room for a request in the model's context window.
    """
    prompts = [_prompts(model, lesson, request) for request in requests]
    behind = [tokens for _, plain, informed in prompts for tokens in (plain, informed) if tokens]
    # The longest common beginning, whatever the chat template does to earlier turns.
    shared = common_length(behind)
    if (longest := max(len(plain) for _, plain, _ in prompts)) >= model.context_length:
        raise DreamError(
            f"session {lesson.session_id} needs {longest} tokens, more than the model's context of "
            f"{model.context_length}"
        )
    examples = tuple(
        Example(
            id=request.id,
            student=tuple(student),
            teacher=tuple(plain[shared:]),
            informed=tuple(informed[shared:]) if informed else None,
            answer=tuple(model.encode_answer(request.expected)) if request.expected is not None else None,
            verifier=_verifier(model, request),
            kind=request.kind,
            text=request.messages[-1].content,
            turns=request.turns,
            names=request.names,
        )
        for request, (student, plain, informed) in zip(requests, prompts, strict=True)
    )
    return PracticeSet(lesson.session_id, version, model.prefix(behind[0][:shared], version), examples)


def _verifier(model: Text, request: PracticeRequest) -> Verifier | None:
    if request.names:
        return Names(model, request.names)
    return Says(model, request.expected) if request.expected is not None else None


def _prompts(
    model: HFModel, lesson: Lesson, request: PracticeRequest
) -> tuple[list[int], list[int], list[int] | None]:
    """The student's prompt; the teacher's (the session as chat turns, then only the request itself, since the
    session holds what stood before it); and, where the right answer is known and there is room, the informed
    teacher's, which has request and answer once more before that."""
    own = request.messages[-request.turns :]
    informed = None
    if request.expected is not None:
        shown = [*lesson.context, *own, Message("assistant", request.expected), *own]
        informed = model.encode(shown, lesson.tools)
        if len(informed) + len(model.encode_answer(request.expected)) > model.context_length:
            informed = None  # rather without than not at all
    return (
        model.encode(request.messages, lesson.tools),
        model.encode([*lesson.context, *own], lesson.tools),
        informed,
    )


def behind(
    model: Engine, lesson: Lesson, asked: Sequence[Sequence[Message]], version: str
) -> tuple[Prefix | None, list[Tokens]]:
    """The session prefilled once, and what of each prompt stands behind it: one at least, each the session
    and then these turns."""
    prompts = [model.encode([*lesson.context, *turns], lesson.tools) for turns in asked]
    return prefilled(model, prompts, version)


def answered(
    model: Engine, lesson: Lesson, asked: Sequence[Sequence[Message]], version: str, longest: int
) -> list[str]:
    """What `version` says to each of these turns with the session in its context."""
    if not asked:
        return []
    prefix, prompts = behind(model, lesson, asked, version)
    return answers(model, prompts, version, longest, prefix)


def passed(
    model: Engine, probes: Sequence[Probe], version: str, prefix: PrefixCache | None = None
) -> list[bool]:
    """For each probe, whether greedy decoding behind `prefix` gives exactly its answer or, of a fact, one
    that names it. Raises VersionError, ContextTooLong."""
    if not probes:
        return []
    right = model.agrees([(p.prompt, p.answer) for p in probes], version, prefix)
    open_ = [i for i, probe in enumerate(probes) if probe.names and not right[i]]
    if open_:
        longest = [2 * len(probes[i].answer) + _WORDY for i in open_]
        given = respond(model, [probes[i].prompt for i in open_], version, max(longest), prefix)
        for i, most, generation in zip(open_, longest, given, strict=True):
            right[i] = bool(Names(model, probes[i].names)(generation.tokens[:most]))
    return right


def stretches(
    model: HFModel, lesson: Lesson, requests: Sequence[PracticeRequest], answer: int
) -> tuple[list[Lesson], list[Drop]]:
    """Split the lesson's session into stretches that fit into the model's context window, each with room for
    every request and `answer` tokens; a session that fits whole is one stretch. Returns the lesson with each
    stretch in place of its session, and the exchanges too long for any.

    Stretches are cut between requests and overlap by one exchange; each begins with the system turns.
    """

    if not requests:
        return [lesson], []
    empty = replace(lesson, context=())
    longest = max(len(_prompts(model, empty, request)[1]) for request in requests)
    return _stretches(model, lesson, model.context_length - longest - answer)


def _stretches(model: HFModel, lesson: Lesson, room: int) -> tuple[list[Lesson], list[Drop]]:
    """Stretches of at most `room` tokens."""

    def tokens(turns: Sequence[Message]) -> int:
        return len(model.encode(turns, lesson.tools, generate=False))

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
