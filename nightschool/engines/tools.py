"""Tool schemas and calls as plain text, for models whose chat template has none; and parsing calls back.

The convention is that of Qwen's and Hermes' own templates: the system turn lists the tools' schemas, one JSON
object a line; a call is one JSON object {"name": ..., "arguments": {...}} between <tool_call> and
</tool_call>; a result is a user turn between <tool_response> and </tool_response>.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from nightschool.types import Message, ToolCall, Tools, mended

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_HEAD = "You can call these tools:\n"
_TAIL = (
    '\nTo call one, answer with one JSON object {"name": ..., "arguments": {...}} between '
    f"{OPEN} and {CLOSE}."
)


_SPACE = re.compile(r"\s*")


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
    name = json.dumps(call.name, ensure_ascii=False)
    return f'{OPEN}\n{{"name": {name}, "arguments": {call.arguments or "{}"}}}\n{CLOSE}'


def parse_calls(text: str, new_id: Callable[[], str]) -> tuple[str, tuple[ToolCall, ...]]:
    """Split an answer into its text and its tool calls, whose ids come from `new_id`. A malformed call stays
    in the text. A call that is complete but for its closing tag is one if nothing else follows."""
    calls, rest, at = list[ToolCall](), list[str](), 0
    while (begin := text.find(OPEN, at)) >= 0:
        inside = begin + len(OPEN)
        try:
            body, end = _body(text, inside)
            calls += [ToolCall(new_id(), name, arguments) for name, arguments in _calls(body)]
        except (ValueError, RecursionError):
            rest.append(text[at:inside])
            at = inside
        else:
            rest.append(text[at:begin])
            at = end
    rest.append(text[at:])
    return ("".join(rest).strip() if calls else text), tuple(calls)


def _body(text: str, at: int) -> tuple[str, int]:
    """The JSON behind an opening tag that ends at `at`, and where the call ends. Raises ValueError."""
    begin = _next(text, at)
    _, end = _JSON.raw_decode(text, begin)  # not up to the next closing tag: an argument may hold one
    after = _next(text, end)
    if text.startswith(CLOSE, after):
        return text[begin:end], after + len(CLOSE)
    if CLOSE.startswith(text[after:]):
        return text[begin:end], len(text)
    if text.startswith(OPEN, after):
        return text[begin:end], after
    raise ValueError("something else follows")


def _calls(body: str) -> list[tuple[str, str]]:
    """Name and arguments of the call, or of each call in a list, that this JSON is. Raises ValueError."""
    if body.startswith("["):
        found = [call for _, part in _parts(body) for call in _calls(part)]
        if not found:
            raise ValueError("an empty list")
        return found
    members = dict(_parts(body)) if body.startswith("{") else {}
    name = _JSON.decode(members.get("name", "null"))
    if not name or not isinstance(name, str):
        raise ValueError("no name")
    return [(mended(name), _arguments(members.get("arguments", members.get("parameters", "{}"))))]


def _arguments(written: str) -> str:
    """A call's arguments as JSON text: as the model wrote them, if any client can read that."""
    value = _JSON.decode(written)
    if value is None or (isinstance(value, str) and not value.strip()):
        return "{}"
    if isinstance(value, str):
        with suppress(ValueError):
            if isinstance(_JSON.decode(value), dict):  # an object that was encoded twice
                return _arguments(value.strip())
    with suppress(ValueError):
        json.loads(written)  # strictly: a line break in a string, say, has to be written anew
        text = json.dumps(value, ensure_ascii=False)
        if mended(text) == text:
            return written
    return mended(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _parts(body: str) -> Iterator[tuple[str, str]]:
    """Key (empty in an array) and JSON text of each member of the object or array that is valid JSON."""
    at, closing = _next(body, 1), "}" if body[0] == "{" else "]"
    while body[at] != closing:
        key = ""
        if closing == "}":
            key, at = _JSON.raw_decode(body, at)
            at = _next(body, _next(body, at) + 1)  # behind the colon
        begin = at
        _, at = _JSON.raw_decode(body, begin)
        yield key, body[begin:at]
        at = _next(body, at)
        at = _next(body, at + (body[at] == ","))


def _next(text: str, at: int) -> int:
    """Where the white space that may begin at `at` ends."""
    found = _SPACE.match(text, at)
    assert found
    return found.end()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


_JSON = json.JSONDecoder(strict=False, parse_constant=_refuse)  # models write line breaks into strings
