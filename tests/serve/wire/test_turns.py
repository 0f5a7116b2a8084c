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
    ("messages", "param", "says"),
    [
        (None, "messages", "list"),
        ([], "messages", "at least 1"),
        ([{"content": "x"}], "messages.0.role", "missing"),
        ([{"role": "robot", "content": "x"}], "messages.0.role", "'robot'"),
        ([{"role": "assistant"}], "messages.0", "needs content"),
        ([{"role": "user", "content": None}], "messages.0.content", "list"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages.0.content.0.text", "required"),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}],
                }
            ],
            "messages.0.content.1.type",
            "'image_url'",
        ),
        (
            [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": ""}}]}],
            "messages.0.tool_calls.0.function.name",
            "at least 1",
        ),
    ],
)
def test_a_message_that_cannot_be_used_is_named(messages: Any, param: str, says: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_messages(messages)
    assert refused.value.param == param
    assert says in str(refused.value)


ECHOED = {
    "id": "m1",
    "timestamp": 7,
    "parsed": None,
    "reasoning_content": "hm",
    "annotations": [1],
    "audio": None,
    "function_call": None,
    "refusal": None,
    "cache_control": {"type": "ephemeral"},
}


@pytest.mark.parametrize(
    ("sent", "ours"),
    [
        ({"role": "user", "content": "x", "tool_calls": None}, Message("user", "x")),
        ({"role": "assistant", "content": "x"}, Message("assistant", "x")),
        ({"role": "assistant", "content": None, "refusal": "no"}, Message("assistant", "no")),
        ({"role": "tool", "content": "x", "tool_call_id": "c", "name": "get"}, Message("tool", "x", (), "c")),
        (
            {"role": "assistant", "content": [{"type": "output_text", "text": "x", "role": "assistant"}]},
            Message("assistant", "x"),
        ),
        (
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            Message("assistant", "no"),
        ),
    ],
)
def test_what_says_nothing_is_left_out(sent: dict[str, Any], ours: Message) -> None:
    assert parse_messages([{**ECHOED, **sent}]) == (ours,)


@pytest.mark.parametrize(
    ("arguments", "ours"), [('{"q": 1}', '{"q": 1}'), ("", ""), (None, ""), ({"q": "ü"}, '{"q": "ü"}')]
)
def test_arguments_however_they_are_sent(arguments: Any, ours: str) -> None:
    call = {
        "id": "c1",
        "function": {"name": "find", "arguments": arguments, "parsed_arguments": {}},
        "index": 0,
    }
    (message,) = parse_messages([{"role": "assistant", "tool_calls": [call], "content": None}])
    assert message.tool_calls == (ToolCall("c1", "find", ours),)


@pytest.mark.parametrize("arguments", ['{"a": ', "x", "[" * 100_000])
def test_a_broken_call_stays_what_the_model_wrote(arguments: str) -> None:
    calls = [CALL, {"id": "c2", "function": {"name": "get", "arguments": arguments}}]
    (message,) = parse_messages([{"role": "assistant", "content": "Wait.", "tool_calls": calls}])
    assert [call.id for call in message.tool_calls] == ["c1"]
    assert message.content.startswith("Wait.\n<tool_call>")
    assert arguments in message.content


def test_tools_are_kept_as_they_were_sent() -> None:
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    assert parse_tools([tool]) == (tool,)
    assert parse_tools(None) == ()
    with pytest.raises(BadRequest) as refused:
        parse_tools([{"type": "function", "function": {"name": ""}}])
    assert refused.value.param == "tools.0.function.name"
