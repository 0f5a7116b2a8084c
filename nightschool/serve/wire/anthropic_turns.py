"""The turns of Anthropic's Messages API, to our messages. Pure.

A field of a block that is not known (`cache_control`, `citations`, `caller` ...) says nothing to a model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from nightschool.errors import BadRequest
from nightschool.serve.wire.fields import Lenient
from nightschool.types import Message, ToolCall

# Claude Code puts it before its system prompt. It counts requests, and would part prompts that begin alike.
_BILLING = "x-anthropic-billing-header:"


class TextBlock(Lenient):
    type: Literal["text"]
    text: str


class ToolReference(Lenient):
    """A tool that a client's search has found; the model has been shown all tools already."""

    type: Literal["tool_reference"]
    text: str = Field(alias="tool_name")


class ToolUse(Lenient):
    type: Literal["tool_use"]
    id: str
    name: str = Field(min_length=1)
    input: Any


class Thinking(Lenient):
    """Another model's; ours makes none."""

    type: Literal["thinking", "redacted_thinking"]


def _blocks(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


Found = Annotated[TextBlock | ToolReference, Field(discriminator="type")]
Results = Annotated[list[Found], BeforeValidator(_blocks, json_schema_input_type=str | list[Found])]


class ToolResult(Lenient):
    type: Literal["tool_result"]
    tool_use_id: str
    content: Results | None = None
    is_error: bool | None = None


Block = Annotated[TextBlock | ToolUse | ToolResult | Thinking, Field(discriminator="type")]
Content = Annotated[list[Block], BeforeValidator(_blocks, json_schema_input_type=str | list[Block])]
Texts = Annotated[list[TextBlock], BeforeValidator(_blocks, json_schema_input_type=str | list[TextBlock])]


class Turn(Lenient):
    """Claude Code sends system turns between others."""

    role: Literal["user", "assistant", "system"]
    content: Content


_HELD = {
    "user": (TextBlock, ToolResult),
    "assistant": (TextBlock, ToolUse, Thinking),
    "system": (TextBlock,),
}


def to_messages(system: Sequence[TextBlock], turns: Sequence[Turn]) -> tuple[Message, ...]:
    """Our messages. Raises BadRequest, naming the block."""
    kept = [block for block in system if not block.text.startswith(_BILLING)]
    messages = [Message("system", _lines(kept))] if kept else []
    for i, turn in enumerate(turns):
        _check(turn, f"messages.{i}")
        messages += _assistant(turn.content) if turn.role == "assistant" else _given(turn)
    return tuple(messages)


def _check(turn: Turn, where: str) -> None:
    for i, block in enumerate(turn.content):
        if not isinstance(block, _HELD[turn.role]):
            place = f"{where}.content.{i}"
            raise BadRequest(f"{place}: no {block.type} can stand in a turn of the {turn.role}", place)


def _assistant(blocks: Sequence[Block]) -> list[Message]:
    text = "".join(block.text for block in blocks if isinstance(block, TextBlock))
    calls = [block for block in blocks if isinstance(block, ToolUse)]
    return [Message("assistant", text, tuple(ToolCall(c.id, c.name, _json(c.input)) for c in calls))]


def _given(turn: Turn) -> list[Message]:
    """A turn of the user, or of the system; each result of a tool is a message of its own."""
    messages = list[Message]()
    for kind, blocks in groupby(turn.content, type):
        if kind is TextBlock:
            messages.append(Message(turn.role, _lines([b for b in blocks if isinstance(b, TextBlock)])))
        else:
            messages += [_result(block) for block in blocks if isinstance(block, ToolResult)]
    return messages or [Message(turn.role, "")]


def _result(block: ToolResult) -> Message:
    text = _lines(block.content or ())
    return Message("tool", f"Error: {text}" if block.is_error else text, tool_call_id=block.tool_use_id)


def _lines(blocks: Sequence[TextBlock | ToolReference]) -> str:
    return "\n".join(block.text for block in blocks)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
