"""OpenAI's chat messages and tools as JSON, to our types. Pure functions.

What clients send back of an answer, or know from another server, often has fields that say nothing to a model
(`parsed`, `reasoning_content`, ids). Here fields that are not known are left out; in a request they would be
refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from nightschool.engines.tools import render_call
from nightschool.errors import BadRequest
from nightschool.serve.wire.fields import Lenient, explain
from nightschool.types import Message, Role, ToolCall, Tools


class TextPart(Lenient):
    type: Literal["text", "input_text", "output_text"]
    text: str


class RefusalPart(Lenient):
    type: Literal["refusal"]
    text: str = Field(alias="refusal")


Part = Annotated[TextPart | RefusalPart, Field(discriminator="type")]


def _parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


Content = Annotated[list[Part], BeforeValidator(_parts, json_schema_input_type=str | list[Part])]


def _as_text(arguments: Any) -> Any:
    """Arguments as JSON text, however a client sends them."""
    if arguments is None:
        return ""
    return json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, dict) else arguments


class FunctionCall(Lenient):
    name: str = Field(min_length=1)
    arguments: Annotated[str, BeforeValidator(_as_text)] = ""


class WireToolCall(Lenient):
    id: str = ""
    type: Literal["function"] = "function"
    function: FunctionCall


class SystemMessage(Lenient):
    role: Literal["system", "developer"]
    content: Content
    name: str | None = None


class UserMessage(Lenient):
    role: Literal["user"]
    content: Content
    name: str | None = None


class AssistantMessage(Lenient):
    role: Literal["assistant"]
    content: Content | None = None
    refusal: str | None = None
    name: str | None = None
    tool_calls: list[WireToolCall] | None = None


class ToolMessage(Lenient):
    role: Literal["tool"]
    content: Content
    tool_call_id: str


WireMessage = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")
]


class FunctionSchema(Lenient):
    name: str = Field(min_length=1)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Lenient):
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
        return to_tools(_TOOLS.validate_python(data or []))
    except ValidationError as e:
        raise explain(e.errors(), "tools") from e


def to_tools(wire: Sequence[Tool]) -> Tools:
    return tuple(tool.model_dump(exclude_none=True) for tool in wire)


def to_messages(wire: Sequence[Any]) -> tuple[Message, ...]:
    """Our messages from validated ones. Raises BadRequest, naming the message."""
    return tuple(_message(m, i) for i, m in enumerate(wire))


def _message(wire: Any, index: int) -> Message:
    role: Role = "system" if wire.role == "developer" else wire.role
    content, said = joined(wire.content or ()), wire.content is not None
    if not isinstance(wire, AssistantMessage):
        return Message(role, content, (), getattr(wire, "tool_call_id", None), getattr(wire, "name", None))
    if not content and wire.refusal:
        content, said = wire.refusal, True
    calls = [ToolCall(c.id, c.function.name, c.function.arguments) for c in wire.tool_calls or ()]
    if not calls and not said:
        raise BadRequest("an assistant message needs content or tool_calls", f"messages.{index}")
    return with_calls(Message(role, content, name=wire.name), calls)


def with_calls(message: Message, calls: Sequence[ToolCall]) -> Message:
    """A turn that makes these calls, too. One whose arguments are no JSON is none: it stays what the model
    wrote, as it was when it was answered."""
    broken = [render_call(call) for call in calls if not _is_json(call.arguments)]
    made = tuple(call for call in calls if _is_json(call.arguments))
    content = "\n".join([*filter(None, [message.content]), *broken])
    return replace(message, content=content, tool_calls=(*message.tool_calls, *made))


def joined(content: Sequence[Part]) -> str:
    """The text of a turn's parts."""
    return "".join(part.text for part in content)


def _is_json(arguments: str) -> bool:
    try:
        json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return False
    return True
