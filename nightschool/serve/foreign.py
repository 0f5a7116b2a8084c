"""Sessions as others keep them, to OpenAI's chat form, which `serve.wire.turns` reads. Pure.

    OpenAI's fine-tuning files   messages with `weight`, `function_call`; `functions`, `parallel_tool_calls`
    Hugging Face's messages      arguments as objects, calls without ids, results that name their function
    ShareGPT                     `conversations` of `from` and `value`, with `system` and `tools`

What is of no form is left as it is, for the reader to name it. Raises BadRequest, naming the field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import count
from typing import Any

from nightschool.engines.tools import parse_calls
from nightschool.errors import BadRequest

Json = dict[str, Any]
_FROM = {
    "system": "system",
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "model"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function_response", "tool_response"), "tool"),
    "function_call": "call",
}
_RESPONSE = re.compile(r"<tool_response>\s*(.*?)\s*</tool_response>", re.DOTALL)


def in_openais_form(data: Json) -> Json:
    """A session with `messages` and `tools` as OpenAI's chat API has them. Messages keep their `weight`."""
    data = dict(data)
    data.pop("parallel_tool_calls", None)  # how calls may be made says nothing about those that were
    if "conversations" in data and "messages" not in data:
        data["messages"] = [*_sharegpt(data.pop("conversations"), data.pop("system", None))]
    if isinstance(data.get("messages"), list):
        data["messages"] = _with_ids(data["messages"])
    tools = [*_tools(data, "tools"), *_tools(data, "functions")]
    data.pop("functions", None)
    return {**data, "tools": tools}


def _sharegpt(turns: Any, system: Any) -> Iterator[Json]:
    if not isinstance(turns, list):
        raise BadRequest("conversations must be a list of turns", "conversations")
    if system:
        yield {"role": "system", "content": system}
    for i, turn in enumerate(turns):
        path = f"conversations.{i}"
        if not isinstance(turn, dict) or turn.keys() - {"from", "value", "weight"}:
            raise BadRequest(f"{path} must be {{from, value}}", path)
        role, value = _FROM.get(str(turn.get("from"))), turn.get("value")
        if not role:
            raise BadRequest(f"{path}.from: {turn.get('from')!r} is none of {', '.join(_FROM)}", path)
        if not isinstance(value, str):
            raise BadRequest(f"{path}.value must be a text", path)
        weight = {"weight": turn["weight"]} if "weight" in turn else {}
        for message in _said(role, value, path):
            yield message | weight


def _said(role: str, value: str, path: str) -> Iterator[Json]:
    if role == "call":
        calls = _parsed(value, path)
        yield {"role": "assistant", "tool_calls": calls if isinstance(calls, list) else [calls]}
    elif role == "assistant":
        text, found = parse_calls(value, lambda: "")
        called = [{"name": call.name, "arguments": call.arguments} for call in found]
        yield {"role": role, "content": text} | ({"tool_calls": called} if called else {})
    elif role == "tool":
        yield from ({"role": role, "content": text} for text in _RESPONSE.findall(value) or [value])
    else:
        yield {"role": role, "content": value}


def _with_ids(messages: list[Any]) -> list[Any]:
    """The messages with calls in OpenAI's form, each with an id, and results that name the call by its id."""
    numbers, open_calls = count(1), list[Json]()  # calls without a result so far
    out = []
    for i, message in enumerate(messages):
        if not isinstance(message, dict):
            out.append(message)
            continue
        message = dict(message)
        if message.get("role") == "assistant":
            if message.get("function_call") is not None:
                message["tool_calls"] = [message.pop("function_call")]
            if isinstance(message.get("tool_calls"), list):
                message["tool_calls"] = [_call(call, numbers, i) for call in message["tool_calls"]]
                open_calls += message["tool_calls"]
        elif message.get("role") in ("tool", "function"):
            message = _result(message, open_calls, f"messages.{i}")
        out.append(message)
    return out


def _call(call: Any, numbers: Iterator[int], i: int) -> Json:
    function = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise BadRequest(
            f"messages.{i}.tool_calls: a call is {{name, arguments}}", f"messages.{i}.tool_calls"
        )
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return {
        "id": call.get("id") or f"call_{next(numbers)}",
        "type": "function",
        "function": {"name": function.get("name"), "arguments": text},
    }


def _result(message: Json, open_calls: list[Json], path: str) -> Json:
    """A tool's result under the id of its call: the one that it names, or else the first without a result, of
    the function that it names if there is one."""
    name, call_id = message.pop("name", None), message.get("tool_call_id")
    fitting = [call for call in open_calls if call["id"] == call_id]
    if not call_id:
        fitting = [call for call in open_calls if call["function"].get("name") == name] or open_calls
        if not fitting:
            raise BadRequest(f"{path} is the result of a call that was not made", path)
        call_id = fitting[0]["id"]
    for call in fitting[:1]:
        open_calls.remove(call)
    content = message.get("content")
    if not isinstance(content, str | list):
        content = "" if content is None else json.dumps(content, ensure_ascii=False)
    return {**message, "role": "tool", "tool_call_id": call_id, "content": content}


def _tools(data: Json, key: str) -> list[Any]:
    """The tools under this key, which may be JSON as a text."""
    tools = data.get(key) or []
    if isinstance(tools, str):
        tools = _parsed(tools, key)
    if not isinstance(tools, list):
        raise BadRequest(f"{key} must be a list", key)
    return [_tool(tool) for tool in tools]


def _tool(tool: Any) -> Any:
    """A tool as OpenAI has it. Hugging Face also tells what a function returns, which OpenAI cannot say."""
    if not isinstance(tool, dict):
        return tool
    if "function" not in tool and "name" in tool:
        tool = {"type": "function", "function": tool}
    function = tool.get("function")
    if isinstance(function, dict):
        tool = {**tool, "function": {key: value for key, value in function.items() if key != "return"}}
    return tool


def _parsed(text: str, path: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as e:
        raise BadRequest(f"{path} is not valid JSON: {e}", path) from e
