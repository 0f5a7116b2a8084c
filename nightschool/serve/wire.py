"""Between OpenAI's JSON and our types. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from nightschool.errors import BadRequest
from nightschool.types import Message, Rating, Role, SignalKind, ToolCall, Tools

Temperature = Annotated[float, Field(ge=0, le=2)]


class _Strict(BaseModel):
    """A field that is not supported is refused, never ignored."""

    model_config = ConfigDict(extra="forbid")


class TextPart(_Strict):
    type: Literal["text"]
    text: str


Content = str | list[TextPart]


class FunctionCall(_Strict):
    name: str = Field(min_length=1)
    arguments: str


class WireToolCall(_Strict):
    id: str
    type: Literal["function"] = "function"
    function: FunctionCall
    index: int | None = None  # some clients send streamed calls back unchanged


class SystemMessage(_Strict):
    role: Literal["system", "developer"]
    content: Content
    name: str | None = None


class UserMessage(_Strict):
    role: Literal["user"]
    content: Content
    name: str | None = None


class AssistantMessage(_Strict):
    role: Literal["assistant"]
    content: Content | None = None
    name: str | None = None
    tool_calls: list[WireToolCall] | None = None
    # Fields of OpenAI's own answers, which clients send back. Only empty ones can be ignored.
    refusal: None = None
    annotations: list[Any] | None = Field(default=None, max_length=0)
    audio: None = None
    function_call: None = None


class ToolMessage(_Strict):
    role: Literal["tool"]
    content: Content
    tool_call_id: str


WireMessage = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")
]


class FunctionSchema(_Strict):
    name: str = Field(min_length=1)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(_Strict):
    type: Literal["function"]
    function: FunctionSchema


class StreamOptions(_Strict):
    include_usage: bool = False


class TextFormat(_Strict):
    type: Literal["text"]


class ChatRequest(_Strict):
    """A request for a chat completion. A field that we do not support may be sent with its neutral value."""

    model: str = Field(default="live", min_length=1)
    messages: list[WireMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: str | Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    tools: list[Tool] | None = None
    user: str | None = None
    n: Literal[1] | None = None
    tool_choice: Literal["auto", "none"] | None = None
    parallel_tool_calls: bool | None = None
    frequency_penalty: Literal[0] | None = None
    presence_penalty: Literal[0] | None = None
    logprobs: Literal[False] | None = None
    response_format: TextFormat | None = None
    store: bool | None = None

    @property
    def limit(self) -> int | None:
        """The longest answer that the client asked for, in tokens."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> tuple[str, ...]:
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(stop for stop in stops if stop)

    @property
    def tool_schemas(self) -> Tools:
        if self.tool_choice == "none":
            return ()
        return tuple(t.model_dump(exclude_none=True) for t in self.tools or ())


class FeedbackRequest(_Strict):
    """A rating of a session, or a signal about one response (`edited`: the text that the user changed it to).

    A rating names its session by `session_id`, or by the `response_id` of any of its responses.
    `check_feedback` says which fields go together.
    """

    id: str | None = Field(default=None, min_length=1, max_length=200)
    session_id: str | None = None
    response_id: str | None = None
    rating: Rating | None = None
    signal: SignalKind | None = None
    edited: str | None = Field(default=None, min_length=1)
    comment: str | None = None


class DreamRequest(_Strict):
    """An empty object: the dream learns all liked sessions that are new."""


_MESSAGES: TypeAdapter[list[WireMessage]] = TypeAdapter(Annotated[list[WireMessage], Field(min_length=1)])
_TOOLS: TypeAdapter[list[Tool]] = TypeAdapter(list[Tool])


def parse_messages(data: Any) -> tuple[Message, ...]:
    """Our messages from OpenAI's JSON. Raises BadRequest, naming the field."""
    try:
        return to_messages(_MESSAGES.validate_python(data))
    except ValidationError as e:
        raise explain(e.errors(), "messages") from e


def parse_tools(data: Any) -> Tools:
    """OpenAI tool schemas, validated. Raises BadRequest, naming the field."""
    try:
        return tuple(t.model_dump(exclude_none=True) for t in _TOOLS.validate_python(data or []))
    except ValidationError as e:
        raise explain(e.errors(), "tools") from e


def check_feedback(body: FeedbackRequest) -> None:
    """Raises BadRequest, naming the field, if fields do not go together."""
    if (body.rating is None) == (body.signal is None):
        raise BadRequest("give either rating or signal", "rating")
    if body.signal and body.response_id is None:
        raise BadRequest("a signal is about one response: give its response_id", "response_id")
    if (body.session_id is None) == (body.response_id is None):
        raise BadRequest("give either session_id or response_id", "session_id")
    if body.signal == "edited" and body.edited is None:
        raise BadRequest("the signal edited needs the edited text", "edited")
    if body.signal != "edited" and body.edited is not None:
        raise BadRequest("only the signal edited takes an edited text", "edited")
    if body.signal in ("accepted", "edited") and body.comment is not None:
        raise BadRequest("the signals accepted and edited take no comment", "comment")


def to_messages(wire: Sequence[Any]) -> tuple[Message, ...]:
    """Our messages from validated ones. Raises BadRequest, naming the message."""
    return tuple(_message(m, i) for i, m in enumerate(wire))


def _message(wire: Any, index: int) -> Message:
    content = wire.content if isinstance(wire.content, str) else "".join(p.text for p in wire.content or ())
    role: Role = "system" if wire.role == "developer" else wire.role
    calls = tuple(
        ToolCall(c.id, c.function.name, c.function.arguments) for c in getattr(wire, "tool_calls", None) or ()
    )
    for call in calls:
        _check_arguments(call, index)
    if role == "assistant" and not calls and wire.content is None:
        raise BadRequest("an assistant message needs content or tool_calls", f"messages.{index}")
    return Message(role, content, calls, getattr(wire, "tool_call_id", None), getattr(wire, "name", None))


def _check_arguments(call: ToolCall, index: int) -> None:
    try:
        json.loads(call.arguments or "{}")
    except ValueError as e:
        raise BadRequest(
            f"the arguments of {call.name} are not valid JSON: {e}", f"messages.{index}.tool_calls"
        ) from e


def explain(errors: Sequence[Mapping[str, Any]], root: str = "") -> BadRequest:
    """The first of Pydantic's errors (`ValidationError.errors`) in one line; `root` is where they are."""
    first = errors[0]
    path = ".".join(str(part) for part in (root, *first["loc"]) if part != "")
    if first["type"] == "extra_forbidden":
        return BadRequest(f"{path} is not supported", path, "unsupported_parameter")
    if first["type"] == "literal_error" and path in (
        "n",
        "logprobs",
        "frequency_penalty",
        "presence_penalty",
    ):
        return BadRequest(f"{path}: only {first['ctx']['expected']} is supported", path, "unsupported_value")
    return BadRequest(f"{path}: {first['msg']}", path, "invalid_value")


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """OpenAI's error shape."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def usage(prompt: int, completion: int) -> dict[str, int]:
    """Numbers of tokens, as OpenAI reports them."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def completion(
    response_id: str, created: int, version: str, message: Message, finish: str, used: dict[str, int]
) -> dict[str, Any]:
    """The body of an answer that is not streamed; `used` is its `usage`."""
    body = message.to_json()
    if message.tool_calls and not message.content:
        body["content"] = None
    return {
        "id": response_id,
        "object": "chat.completion",
        "created": created,
        "model": version,
        "choices": [{"index": 0, "message": body, "finish_reason": finish, "logprobs": None}],
        "usage": used,
    }


def chunk(
    response_id: str, created: int, version: str, delta: dict[str, Any], finish: str | None = None
) -> dict[str, Any]:
    """The data of one event of a streamed answer."""
    return {
        "id": response_id,
        "object": "chat.completion.chunk",
        "created": created,
        "model": version,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}],
    }


def call_deltas(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """Tool calls as streamed deltas carry them."""
    return [
        {
            "index": i,
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for i, call in enumerate(calls)
    ]


def event(data: dict[str, Any] | str) -> str:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"data: {text}\n\n"
