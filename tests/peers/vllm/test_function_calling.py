"""After vLLM's tests/entrypoints/openai/chat_completion/test_completion_with_function_calling.py."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, ConfigDict, Field

from tests.peers.wire import WEATHER_TOOL, asked, choice, examples, post, refused

CHAT = "/v1/chat/completions"
NAMED = {"type": "function", "function": {"name": "get_current_weather"}}
FORECAST_TOOL = {
    "type": "function",
    "function": {
        "name": "get_forecast",
        "description": "Get the weather forecast for a city",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "description": "Number of days, from 1 to 7"},
                "options": {"$ref": "#/$defs/Options"},
            },
            "required": ["city", "days"],
            "$defs": {
                "Options": {
                    "type": "object",
                    "properties": {"unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
                    "additionalProperties": False,
                }
            },
        },
    },
}
TOOLS = [WEATHER_TOOL, FORECAST_TOOL]
MESSAGES = [*examples(), asked("Chicago", "IL")]
STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@STREAM
@pytest.mark.parametrize("tool_choice", ["auto", "required", NAMED], ids=["auto", "required", "named"])
def test_function_tool_use(http: httpx.Client, tool_choice: Any, stream: bool) -> None:
    options = {"messages": MESSAGES, "tools": TOOLS, "temperature": 0, "max_tokens": 96}
    message = choice(http, stream, tool_choice=tool_choice, **options)["message"]
    (call,) = message["tool_calls"]
    assert call["function"]["name"] == "get_current_weather"
    assert "city" in json.loads(call["function"]["arguments"])


@pytest.mark.parametrize("arguments", ["{}", ""], ids=["object", "empty"])
def test_no_args_tool_call(http: httpx.Client, arguments: str) -> None:
    """A call without arguments may come back in either way."""
    function = {"name": "get_current_time", "arguments": arguments}
    messages = [
        {"role": "user", "content": "What time is it now?"},
        {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "2026-11-27T12:00:00"},
    ]
    answer = post(http, CHAT, messages=messages, temperature=0, max_completion_tokens=32)
    assert answer["choices"][0]["message"]["content"].strip()


class Employee(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=120)
    skills: list[str] = Field(max_length=3)


def employee_tool() -> dict[str, Any]:
    schema = Employee.model_json_schema()
    schema["properties"]["skills"]["items"]["maxLength"] = 10
    return {
        "type": "function",
        "function": {"name": "hire", "description": "Adds an employee", "parameters": schema},
    }


def test_named_tool_use(http: httpx.Client) -> None:
    """Whole, then streamed."""
    options = {
        "messages": [{"role": "user", "content": "Hire an example employee using the tool."}],
        "tools": [employee_tool()],
        "tool_choice": {"type": "function", "function": {"name": "hire"}},
        "temperature": 0,
        "max_completion_tokens": 256,
    }
    for stream in (False, True):
        message = choice(http, stream, **options)["message"]
        assert not message["content"]
        (call,) = message["tool_calls"]
        Employee.model_validate_json(call["function"]["arguments"], strict=True)


@pytest.mark.parametrize(
    "given",
    [
        {"tool_choice": NAMED},
        {"tools": [FORECAST_TOOL], "tool_choice": NAMED},
        {"tools": TOOLS, "tool_choice": {}},
    ],
    ids=["no-tools", "another-tool", "empty"],
)
def test_inconsistent_tool_choice_and_tools(http: httpx.Client, given: dict[str, Any]) -> None:
    refused(http, CHAT, {"model": "live", "messages": MESSAGES, "max_tokens": 8, **given})


@pytest.mark.parametrize("tool_choice", ["required", NAMED], ids=["required", "named"])
def test_max_tokens_with_tool_choice_required(http: httpx.Client, tool_choice: Any) -> None:
    """A call that is cut off is none."""
    options = {"messages": MESSAGES, "tools": TOOLS, "temperature": 0, "max_completion_tokens": 1}
    answer = choice(http, False, tool_choice=tool_choice, **options)
    assert answer["finish_reason"] == "length"
    assert not answer["message"].get("tool_calls")
