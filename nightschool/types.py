"""The vocabulary of Nightschool (docs/architecture.md). Imports nothing of ours and no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
Rating = Literal["good", "bad"]
SignalKind = Literal["accepted", "rejected", "edited"]
DreamStatus = Literal["running", "interrupted", "failed", "rejected", "promoted"]

# Names that a request may give instead of a version's.
BASE = "base"
LIVE = "live"

SHARED = "shared"  # the scope that all sessions, dreams and versions belong to so far
HELPER = "helper"  # the source of a session that a client made by itself, such as a title


@dataclass(frozen=True)
class ToolCall:
    """A function call in an assistant turn. `arguments` is JSON text, as in OpenAI's API."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Message:
    """One chat message. Only an assistant turn that calls tools may have an empty `content`.

    `weight` is OpenAI's, of imported answers: one with weight 0 is not learned.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    weight: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The message as OpenAI's JSON, without absent fields."""
        out: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_calls:
            out["tool_calls"] = [
                {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
                for c in self.tool_calls
            ]
        if self.tool_call_id is not None:
            out["tool_call_id"] = self.tool_call_id
        if self.name is not None:
            out["name"] = self.name
        if self.weight is not None:
            out["weight"] = self.weight
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Message:
        """The inverse of `to_json`. It does not validate; `serve.wire` does, for what clients send."""
        calls = tuple(
            ToolCall(c["id"], c["function"]["name"], c["function"]["arguments"])
            for c in data.get("tool_calls") or ()
        )
        return cls(
            data["role"],
            data["content"],
            calls,
            data.get("tool_call_id"),
            data.get("name"),
            data.get("weight"),
        )


Tools = tuple[dict[str, Any], ...]  # OpenAI tool schemas, as the client sent them


@dataclass(frozen=True)
class Session:
    """A recorded conversation, with its newest rating that is not retracted and the comment of that."""

    id: str
    messages: tuple[Message, ...]
    tools: Tools = ()
    user: str | None = None
    source: str = "api"
    created_at: str = ""
    rating: Rating | None = None
    comment: str | None = None


@dataclass(frozen=True)
class Feedback:
    """A rating of a session. The client chooses `id`, so that sending it twice changes nothing."""

    id: str
    session_id: str
    rating: Rating
    comment: str | None = None
    created_at: str = ""
    retracted: bool = False


@dataclass(frozen=True)
class Signal:
    """What a user did with one response.

    id        chosen by the client, as in `Feedback`
    text      what the user changed the response to (edited)
    comment   why the user did not want it (rejected)
    position  index of the response in the session's current messages, filled in by the store; None if the
              user has edited it since, to anything but `text`, or regenerated it
    """

    id: str
    session_id: str
    response_id: str
    kind: SignalKind
    text: str | None = None
    comment: str | None = None
    created_at: str = ""
    position: int | None = None


@dataclass(frozen=True)
class PracticeRequest:
    """A request that the student practises.

    messages  the conversation to answer; it ends with a user turn or a tool's result
    kind      recorded: a request of the session by itself; replayed: the same one after the turns that were
              before it; varied: one with other words or entities
    turns     how many of the last messages are the request; the teacher has the ones before (a system turn,
              the session until then) in its context already
    expected  the known right answer (of a twin, or of a recorded request whose answer was liked), or None
              if being right means agreeing with the teacher
    names     of a fact: an answer in any words is right that names the first and none of the others; empty:
              only `expected` is right
    """

    id: str
    session_id: str
    messages: tuple[Message, ...]
    kind: Literal["recorded", "replayed", "varied"]
    turns: int = 1
    expected: str | None = None
    names: tuple[str, ...] = ()
    tools: Tools = ()


@dataclass(frozen=True)
class Drop:
    """A part of a session that is not practised, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class Understanding:
    """A pattern of a session, for people: the requests it explains, how it makes their answers, and some
    twins as (request, answer)."""

    requests: tuple[str, ...]
    how: tuple[str, ...]
    twins: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Reading:
    """One of the user's turns, for people, and what was made of it.

    answer    the right answer, if it is known: to the turn by itself or, where it belongs to one before it,
              in its place
    role      how it relates to the turns before it and, where something is unknown about it, why
    pattern   which one in `Lesson.understood` says how the answer is made
    reliable  whether the teacher, asked again with all other exchanges in its context, gave the right answer;
              None if it was not asked
    """

    request: str
    answer: str | None
    role: str
    pattern: int | None = None
    reliable: bool | None = None


@dataclass(frozen=True)
class Lesson:
    """What one session teaches.

    context    the session as chat turns, which only the teacher sees
    practice   the requests that are practised
    held_back  the requests that are not, to measure what was learned
    understood what varies in it by example, for people
    readings   the user's turns one by one, for people
    """

    session_id: str
    context: tuple[Message, ...]
    practice: tuple[PracticeRequest, ...]
    held_back: tuple[PracticeRequest, ...]
    drops: tuple[Drop, ...] = ()
    tools: Tools = ()
    understood: tuple[Understanding, ...] = ()
    readings: tuple[Reading, ...] = ()

    @property
    def reliability(self) -> float | None:
        """Share of the exchanges that the teacher gets right when they are left out of the session; None
        where none was asked."""
        asked = [reading.reliable for reading in self.readings if reading.reliable is not None]
        return sum(asked) / len(asked) if asked else None


@dataclass(frozen=True)
class Probe:
    """A request and its one right answer; the probe of a guard holds an answer that nobody wants.

    `prompt` and `answer` are tokens; `answer` ends with EOS if the model ended it itself. `text` is the last
    turn of the request; `names` as in `PracticeRequest`.
    """

    id: str
    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    text: str = ""
    names: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Probe:
        return cls(
            data["id"],
            tuple(data["prompt"]),
            tuple(data["answer"]),
            data["text"],
            tuple(data.get("names", ())),
        )


@dataclass(frozen=True)
class Verdict:
    """The gate's decision on a candidate: whether to promote it, why not, and the numbers behind that."""

    promote: bool
    reasons: tuple[str, ...]
    numbers: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Version:
    """An immutable adapter. `name` is `NAME@N`, `parent` the version that it was trained from, or `base`."""

    name: str
    parent: str
    path: str
    sessions: tuple[str, ...] = ()
    dream_id: str | None = None
    created_at: str = ""
    scope: str = SHARED


@dataclass(frozen=True)
class Pointer:
    """What was last promoted or rolled back to. `number` grows with every move; 0 is before the first."""

    number: int
    version: str
    created_at: str


@dataclass(frozen=True)
class Swap:
    """A server began to answer with a version (`ok`), or refused it; `detail` says why."""

    id: int
    version: str
    ok: bool
    detail: str
    created_at: str


@dataclass(frozen=True)
class Skipped:
    """Something that was not recorded, and why."""

    id: int
    reason: str
    detail: str
    session_id: str | None
    created_at: str


@dataclass(frozen=True)
class Dream:
    """One training job: what it depends on (sessions, parent, config), its state and its results.

    `launches` counts the processes that servers started for it; `pid` is the last process that ran it.
    """

    id: str
    scope: str
    status: DreamStatus
    sessions: tuple[str, ...]
    parent: str
    config: dict[str, Any]
    pid: int
    launches: int
    progress: dict[str, Any] | None
    verdict: dict[str, Any] | None
    lessons: dict[str, Any] | None
    version: str | None
    error: str | None
    created_at: str
    updated_at: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
