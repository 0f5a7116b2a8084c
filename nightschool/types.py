"""The vocabulary of Nightschool (docs: README, "Words"). Imports nothing of ours and no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
Rating = Literal["good", "bad"]

# Names that requests may use in place of a version.
BASE = "base"
LIVE = "live"


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
class PracticeRequest:
    """What the student practises: `messages` end with a user turn and hold no session.

    `expected` is the known right answer (a counterfactual twin or a recorded request with its liked
    answer), or None where right means agreeing with the teacher.
    """

    id: str
    session_id: str
    messages: tuple[Message, ...]
    kind: Literal["recorded", "varied"]
    expected: str | None = None
    tools: Tools = ()


@dataclass(frozen=True)
class Drop:
    """Something that was not used, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class Lesson:
    """What one session teaches. `context` is the teacher's: the session as chat turns."""

    session_id: str
    context: tuple[Message, ...]
    practice: tuple[PracticeRequest, ...]
    held_back: tuple[PracticeRequest, ...]
    drops: tuple[Drop, ...] = ()
    tools: Tools = ()


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
