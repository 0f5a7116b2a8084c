"""After vLLM's tests/tool_use/test_tool_calls.py and test_chat_completions.py."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.peers.wire import WEATHER_TOOL, asked, called, choice, examples, told

SEARCH_TOOL = {
    "type": "function",
    "function": {
        "name": "web_search",
        "description": "Search the internet",
        "parameters": {
            "type": "object",
            "properties": {"search_term": {"type": "string"}},
            "required": ["search_term"],
        },
    },
}
OPTIONS = {"tools": [WEATHER_TOOL, SEARCH_TOOL], "temperature": 0, "max_completion_tokens": 100}
HI = [{"role": "user", "content": "Hi! How are you?"}]


def both(http: httpx.Client, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same choice whole and streamed."""
    return choice(http, False, **options), choice(http, True, **options)


def test_tool_call_and_choice(http: httpx.Client) -> None:
    whole, streamed = both(http, messages=[*examples(), asked("Dallas", "TX")], **OPTIONS)
    for answer in (whole, streamed):
        assert answer["finish_reason"] == "tool_calls"
        assert answer["message"]["role"] == "assistant"
        (call,) = answer["message"]["tool_calls"]
        assert len(call["id"]) >= 9
        assert call["function"]["name"] == "get_current_weather"
        assert json.loads(call["function"]["arguments"]) == {"city": "Dallas", "state": "TX"}


def test_tool_call_with_results(http: httpx.Client) -> None:
    turns = [*examples(), asked("Dallas", "TX"), called("Dallas", "TX", "call_9"), told(98, "call_9")]
    whole, streamed = both(http, messages=turns, **OPTIONS)
    assert whole["finish_reason"] == streamed["finish_reason"] != "tool_calls"
    assert not whole["message"].get("tool_calls")
    assert "98" in whole["message"]["content"]
    assert whole["message"]["content"] == streamed["message"]["content"]


@pytest.mark.parametrize("tools", [None, [WEATHER_TOOL]], ids=["without", "with"])
def test_chat_completion_with_and_without_tools(http: httpx.Client, tools: list[Any] | None) -> None:
    options = {"messages": HI, "tools": tools, "temperature": 0, "max_completion_tokens": 48}
    whole, streamed = both(http, **options, logprobs=False)
    assert whole["finish_reason"] == streamed["finish_reason"] != "tool_calls"
    assert whole["message"]["content"]
    assert whole["message"]["content"] == streamed["message"]["content"]
    assert not whole["message"].get("tool_calls")
    assert not streamed["message"].get("tool_calls")
