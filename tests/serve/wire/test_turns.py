"""OpenAI's chat messages and tools to our types."""

from typing import Any

import pytest

from nightschool.errors import BadRequest
from nightschool.serve.wire.turns import parse_messages, parse_tools
from nightschool.types import Message, ToolCall

CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": "x"}'}}


def test_messages_become_ours() -> None:
    messages = parse_messages(
        [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": None, "tool_calls": [{**CALL, "index": 0}], "refusal": None},
            {"role": "tool", "content": "42", "tool_call_id": "c1"},
            {"role": "user", "content": "more", "name": "ann"},
        ]
    )
    assert messages == (
        Message("system", "Be brief."),
        Message("user", "ab"),
        Message("assistant", "", (ToolCall("c1", "find", '{"q": "x"}'),)),
        Message("tool", "42", tool_call_id="c1"),
        Message("user", "more", name="ann"),
    )
    assert parse_messages([m.to_json() for m in messages]) == messages


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ([{"role": "user", "content": "x", "mood": "good"}], "messages.0.user.mood"),
        ([{"role": "assistant"}], "messages.0"),
        ([{"role": "assistant", "content": "x", "refusal": "no"}], "messages.0.assistant.refusal"),
        ([{"role": "assistant", "content": "x", "annotations": [1]}], "messages.0.assistant.annotations"),
        (
            [{"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": "{"}}]}],
            "messages.0.tool_calls",
        ),
    ],
)
def test_a_message_that_cannot_be_used_is_named(messages: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_messages(messages)
    assert refused.value.param == param


def test_tools_are_kept_as_they_were_sent() -> None:
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    assert parse_tools([tool]) == (tool,)
    assert parse_tools(None) == ()
    with pytest.raises(BadRequest) as refused:
        parse_tools([{"type": "function", "function": {"name": ""}}])
    assert refused.value.param == "tools.0.function.name"
