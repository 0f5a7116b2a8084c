"""The vocabulary of Nightschool (docs/architecture.md). Imports nothing of ours and no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
Rating = Literal["good", "bad"]
SignalKind = Literal["accepted", "rejected", "edited"]
DreamStatus = Literal["running", "interrupted", "failed", "rejected", "promoted"]

# Names that requests may use in place of a version.
BASE = "base"
LIVE = "live"

SHARED = "shared"  # the scope of all that is not somebody's own; the only one so far


@dataclass(frozen=True)
class ToolCall:
    """One function call of an assistant turn; `arguments` is the JSON text, as OpenAI sends it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Message:
    """One chat message. `content` may be empty only for an assistant turn that calls tools."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The OpenAI chat message, without absent fields."""
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
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Message:
        """The inverse of `to_json`, for data we wrote ourselves; `serve.wire` validates what clients send."""
        calls = tuple(
            ToolCall(c["id"], c["function"]["name"], c["function"]["arguments"])
            for c in data.get("tool_calls") or ()
        )
        return cls(data["role"], data["content"], calls, data.get("tool_call_id"), data.get("name"))


Tools = tuple[dict[str, Any], ...]  # OpenAI tool schemas, as the client sent them


@dataclass(frozen=True)
class Session:
    """A recorded conversation. `rating` is that of the newest feedback that was not retracted."""

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
    """A rating of a session; `id` is the client's own, so that sending it twice changes nothing."""

    id: str
    session_id: str
    rating: Rating
    comment: str | None = None
    created_at: str = ""
    retracted: bool = False


@dataclass(frozen=True)
class Signal:
    """What a user did with one response; `id` as in `Feedback`. `text` is what they made of it (edited),
    `comment` says why they did not want it (rejected).

    `position` is the index of the response in the session's messages as they are now, None where the user
    has since edited or regenerated it (unless to `text`); the store fills it in.
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
    """What the student practises: `messages` end with a user turn or a tool's result.

    `kind`: a request of the session by itself, the same where it stood then, one with other words or
    entities, or one the model asked itself. The last `turns` messages are the request; what stands before
    them (a system turn, the session until then) the teacher has in its context already. `expected` is the
    known right answer (a counterfactual twin or a recorded request with its liked answer), or None where
    right means agreeing with the teacher.
    """

    id: str
    session_id: str
    messages: tuple[Message, ...]
    kind: Literal["recorded", "replayed", "varied", "asked"]
    turns: int = 1
    expected: str | None = None
    tools: Tools = ()


@dataclass(frozen=True)
class Drop:
    """Something that was not used, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class Lesson:
    """What one session teaches. `context` is the teacher's: the session as chat turns. `facts`: some of it
    cannot be varied by rules, so the model is to ask itself about it."""

    session_id: str
    context: tuple[Message, ...]
    practice: tuple[PracticeRequest, ...]
    held_back: tuple[PracticeRequest, ...]
    drops: tuple[Drop, ...] = ()
    tools: Tools = ()
    facts: bool = False


@dataclass(frozen=True)
class Probe:
    """A request and the one answer that is right (of a guard: that nobody wants), in tokens, EOS included
    where it ends by itself. `text` is the request's last turn."""

    id: str
    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    text: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Probe:
        return cls(data["id"], tuple(data["prompt"]), tuple(data["answer"]), data["text"])


@dataclass(frozen=True)
class Verdict:
    """The gate's decision on a candidate: `promote` with the numbers it rests on."""

    promote: bool
    reasons: tuple[str, ...]
    numbers: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Version:
    """An immutable adapter. `name` is `NAME@N`, `parent` the version it was trained from (or `base`)."""

    name: str
    parent: str
    path: str
    sessions: tuple[str, ...] = ()
    dream_id: str | None = None
    created_at: str = ""
    scope: str = SHARED


@dataclass(frozen=True)
class Pointer:
    """What was last promoted or rolled back to; `number` grows with every move (0: none yet)."""

    number: int
    version: str
    created_at: str


@dataclass(frozen=True)
class Swap:
    """A server answered with a version from then on (`ok`), or refused to."""

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
    """One training job: what it is a function of, and how far it came. `launches` counts the processes that
    servers started for it, `pid` is the last one's that was at it."""

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
