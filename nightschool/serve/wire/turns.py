"""OpenAI's chat messages and tools as JSON, to our types. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from nightschool.errors import BadRequest
from nightschool.serve.wire.fields import Strict, explain
from nightschool.types import Message, Role, ToolCall, Tools


class TextPart(Strict):
    type: Literal["text"]
    text: str


Content = str | list[TextPart]


class FunctionCall(Strict):
    name: str = Field(min_length=1)
    arguments: str


class WireToolCall(Strict):
    id: str
    type: Literal["function"] = "function"
    function: FunctionCall
    index: int | None = None  # some clients send streamed calls back unchanged


class SystemMessage(Strict):
    role: Literal["system", "developer"]
    content: Content
    name: str | None = None


class UserMessage(Strict):
    role: Literal["user"]
    content: Content
    name: str | None = None


class AssistantMessage(Strict):
    role: Literal["assistant"]
    content: Content | None = None
    name: str | None = None
    tool_calls: list[WireToolCall] | None = None
    # Fields of OpenAI's own answers, which clients send back. Only empty ones can be ignored.
    refusal: None = None
    annotations: list[Any] | None = Field(default=None, max_length=0)
    audio: None = None
    function_call: None = None


class ToolMessage(Strict):
    role: Literal["tool"]
    content: Content
    tool_call_id: str


WireMessage = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")
]


class FunctionSchema(Strict):
    name: str = Field(min_length=1)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Strict):
    type: Literal["function"]
    function: FunctionSchema


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
        check_arguments(call, f"messages.{index}.tool_calls")
    if role == "assistant" and not calls and wire.content is None:
        raise BadRequest("an assistant message needs content or tool_calls", f"messages.{index}")
    return Message(role, content, calls, getattr(wire, "tool_call_id", None), getattr(wire, "name", None))


def check_arguments(call: ToolCall, where: str) -> None:
    """Raises BadRequest, naming the field, if the arguments of a call are not JSON."""
    try:
        json.loads(call.arguments or "{}")
    except ValueError as e:
        raise BadRequest(f"the arguments of {call.name} are not valid JSON: {e}", where) from e
