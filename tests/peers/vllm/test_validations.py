"""After vLLM's tests/tool_use/test_chat_completion_request_validations.py and, beside its chat tests,
test_chat_logit_bias_validation.py and test_tool_choice_null.py."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.peers.wire import WEATHER_TOOL, post, refused

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5}
SURE = [
    {"role": "user", "content": "What is 2+2?"},
    {"role": "assistant", "content": "4"},
    {"role": "user", "content": "Are you sure?"},
]


@pytest.mark.parametrize("more", [{}, {"tools": None}], ids=["absent", "null"])
def test_chat_completion_request_with_no_tools(http: httpx.Client, more: dict[str, Any]) -> None:
    assert not post(http, CHAT, **HELLO, **more)["choices"][0]["message"].get("tool_calls")


@pytest.mark.parametrize("tool_choice", ["auto", "required"])
def test_chat_completion_request_with_tool_choice_but_no_tools(http: httpx.Client, tool_choice: str) -> None:
    refused(http, CHAT, {"model": "live", **HELLO, "tool_choice": tool_choice})
    refused(http, CHAT, {"model": "live", **HELLO, "tool_choice": tool_choice, "tools": None})


@pytest.mark.parametrize(
    "thought",
    [
        {"reasoning_content": "2+2 equals 4"},
        {"reasoning": "2+2 equals 4", "reasoning_content": "2+2 equals 4"},
        {},
    ],
    ids=["reasoning-content", "both", "none"],
)
def test_reasoning_in_history(http: httpx.Client, thought: dict[str, str]) -> None:
    """What another server adds to an answer may come back; here it is no part of the conversation."""
    first, second, third = SURE
    options = {"max_tokens": 8, "temperature": 0}
    answer = post(http, CHAT, messages=[first, {**second, **thought}, third], **options)
    plain = post(http, CHAT, messages=SURE, **options)
    assert answer["choices"][0]["message"] == plain["choices"][0]["message"]


def test_chat_logit_bias_valid(http: httpx.Client) -> None:
    assert post(http, CHAT, **HELLO, logit_bias={"100": 1.0})["choices"][0]["message"]["content"]


@pytest.mark.parametrize("token", ["999999", "not_a_token_id"], ids=["unknown", "no-integer"])
def test_chat_logit_bias_invalid(http: httpx.Client, token: str) -> None:
    error = refused(http, CHAT, {"model": "live", **HELLO, "logit_bias": {token: 1.0}})
    assert "logit_bias" in error["message"]
    assert token in error["message"]


@pytest.mark.parametrize("tools", [{}, {"tools": [WEATHER_TOOL]}], ids=["no-tools", "tools"])
def test_null_tool_choice_is_an_absent_one(http: httpx.Client, tools: dict[str, Any]) -> None:
    options = {**HELLO, **tools, "temperature": 0}
    null = post(http, CHAT, **options, tool_choice=None)["choices"][0]["message"]
    assert null == post(http, CHAT, **options)["choices"][0]["message"]


def test_invalid_tool_choice_is_rejected(http: httpx.Client) -> None:
    refused(http, CHAT, {"model": "live", **HELLO, "tools": [WEATHER_TOOL], "tool_choice": "bogus"})
