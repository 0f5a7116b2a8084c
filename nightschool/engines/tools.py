"""Tool schemas and calls as plain text, for models whose chat template has none; and parsing calls back.

The convention is that of Qwen's and Hermes' own templates: the system turn lists the tools' schemas, one JSON
object a line; a call is one JSON object {"name": ..., "arguments": {...}} between <tool_call> and
</tool_call>; a result is a user turn between <tool_response> and </tool_response>.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from nightschool.types import Message, ToolCall, Tools

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_CALL = re.compile(rf"{OPEN}\s*(.*?)\s*{CLOSE}", re.DOTALL)
_HEAD = "You can call these tools:\n"
_TAIL = (
    '\nTo call one, answer with one JSON object {"name": ..., "arguments": {...}} between '
    f"{OPEN} and {CLOSE}."
)


def plain(messages: Sequence[Message], tools: Tools) -> list[Message]:
    """The same conversation with tool turns, tool calls and the tools' schemas rendered as text. The schemas
    go to the end of the system turn, or into one of their own."""
    out = [_plain(m) for m in messages]
    if tools:
        schemas = "\n".join(json.dumps(t["function"], ensure_ascii=False) for t in tools)
        text = _HEAD + schemas + _TAIL
        if out and out[0].role == "system":
            out[0] = Message("system", f"{out[0].content}\n\n{text}")
        else:
            out.insert(0, Message("system", text))
    return out


def _plain(message: Message) -> Message:
    if message.role == "tool":
        return Message("user", f"<tool_response>\n{message.content}\n</tool_response>")
    return Message(message.role, render_assistant(message)) if message.tool_calls else message


def render_assistant(message: Message) -> str:
    """An assistant turn as the model writes it: its content, then its calls as plain text."""
    calls = list(map(render_call, message.tool_calls))
    return "\n".join([message.content, *calls] if message.content else calls)


def render_call(call: ToolCall) -> str:
    """A tool call as the model writes it."""
    return f'{OPEN}\n{{"name": {json.dumps(call.name)}, "arguments": {call.arguments or "{}"}}}\n{CLOSE}'


def parse_calls(text: str, new_id: Callable[[], str]) -> tuple[str, tuple[ToolCall, ...]]:
    """Split an answer into its text and its tool calls, whose ids come from `new_id`. A malformed call stays
    in the text."""
    calls: list[ToolCall] = []

    def take(match: re.Match[str]) -> str:
        try:
            data = json.loads(match[1])
        except ValueError:
            return match[0]
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            return match[0]
        arguments = data.get("arguments", {})
        calls.append(ToolCall(new_id(), data["name"], json.dumps(arguments, ensure_ascii=False)))
        return ""

    rest = _CALL.sub(take, text)
    return (rest.strip() if calls else text), tuple(calls)
