"""After llama.cpp's tools/server/tests/unit/test_tool_call.py."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from tests.peers.wire import WEATHER_TOOL, asked, choice, examples

STREAM = pytest.mark.parametrize("stream", [False, True], ids=["normal", "streamed"])


def tool(name: str, description: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": [*properties]}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


TEST = tool("test", "", success={"type": "boolean", "const": True})
PYTHON = tool("python", "Runs code in an interpreter.", code={"type": "string", "description": "The code."})
CALCULATE = tool("calculate", "Computes an expression in Python's syntax.", expression={"type": "string"})
CODING = {"role": "system", "content": "You are a coding assistant."}


def code(task: str, line: str, i: int) -> list[dict[str, Any]]:
    """A task that was done by calling the interpreter."""
    function = {"name": "python", "arguments": json.dumps({"code": line})}
    call = {"id": f"call_{i}", "type": "function", "function": function}
    return [
        {"role": "user", "content": task},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"call_{i}", "content": "done"},
        {"role": "assistant", "content": "Done."},
    ]


# So that a small model ends its code.
SHOWN = [
    *code("Say hi", "print('hi')", 0),
    *code("Say one", "print('one')", 1),
    *code("Say bye", "print('bye')", 2),
]


@STREAM
@pytest.mark.parametrize(("given", "argument"), [(TEST, "success"), (PYTHON, "code")], ids=["test", "python"])
def test_completion_with_required_tool(
    http: httpx.Client, given: dict[str, Any], argument: str, stream: bool
) -> None:
    messages = [CODING, *(SHOWN if given is PYTHON else []), {"role": "user", "content": "Say two"}]
    answer = choice(
        http,
        stream,
        messages=messages,
        tools=[given],
        tool_choice="required",
        parallel_tool_calls=False,
        max_tokens=128,
        temperature=0,
    )
    (call,) = answer["message"]["tool_calls"]
    assert answer["message"]["content"] in (None, "")
    assert call["function"]["name"] == given["function"]["name"]
    assert argument in json.loads(call["function"]["arguments"])


@STREAM
@pytest.mark.parametrize(
    ("tools", "tool_choice"),
    [(None, None), ([TEST], None), ([PYTHON], "none")],
    ids=["no-tools", "auto", "none"],
)
def test_completion_without_tool_call(
    http: httpx.Client, tools: list[Any] | None, tool_choice: str | None, stream: bool
) -> None:
    messages = [CODING, {"role": "user", "content": "say hello world with python"}]
    answer = choice(
        http,
        stream,
        messages=messages,
        tools=tools,
        tool_choice=tool_choice,
        max_tokens=32,
        temperature=0,
    )
    assert not answer["message"].get("tool_calls")
    assert answer["message"]["content"]


@STREAM
def test_weather(http: httpx.Client, stream: bool) -> None:
    messages = [*examples(), asked("Dallas", "TX")]
    answer = choice(http, stream, messages=messages, tools=[WEATHER_TOOL], max_tokens=64, temperature=0)
    (call,) = answer["message"]["tool_calls"]
    assert call["function"]["name"] == "get_current_weather"
    assert re.match("Dallas", json.loads(call["function"]["arguments"])["city"])


@STREAM
def test_calc_result(http: httpx.Client, stream: bool) -> None:
    function = {"name": "calculate", "arguments": '{"expression":"sin(30 * pi / 180)"}'}
    messages = [
        {"role": "system", "content": "You are a tools-calling assistant."},
        {"role": "user", "content": "What's the y coordinate of a point on the unit sphere at 30 degrees?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_6789", "type": "function", "function": function}],
        },
        {"role": "tool", "name": "calculate", "content": "0.55644242476", "tool_call_id": "call_6789"},
    ]
    answer = choice(http, stream, messages=messages, tools=[CALCULATE], max_tokens=64, temperature=0)
    assert not answer["message"].get("tool_calls")
    assert answer["message"]["content"]


@pytest.mark.xfail(
    strict=True,
    reason="arguments that are no JSON are what the model wrote: OpenAI takes them back, and so do we",
)
def test_malformed_tool_call_args_rejected(http: httpx.Client) -> None:
    call = {"id": "call_123", "type": "function", "function": {"name": "test", "arguments": "{"}}
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "user", "content": "Continue"},
    ]
    response = http.post(
        "/v1/chat/completions", json={"model": "live", "messages": messages, "max_tokens": 8}
    )
    assert response.status_code == 400, response.text
