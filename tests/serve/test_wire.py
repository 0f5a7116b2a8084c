"""OpenAI's JSON to our types and back."""

import json
from typing import Any

import pytest

from nightschool.errors import BadRequest
from nightschool.serve import wire
from nightschool.types import Message, ToolCall

CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": "x"}'}}


def test_messages_become_ours() -> None:
    messages = wire.parse_messages(
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
    assert wire.parse_messages([m.to_json() for m in messages]) == messages


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
        wire.parse_messages(messages)
    assert refused.value.param == param


def test_tools_are_kept_as_they_were_sent() -> None:
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    assert wire.parse_tools([tool]) == (tool,)
    assert wire.parse_tools(None) == ()
    with pytest.raises(BadRequest) as refused:
        wire.parse_tools([{"type": "function", "function": {"name": ""}}])
    assert refused.value.param == "tools.0.function.name"


def request(**fields: Any) -> wire.ChatRequest:
    return wire.ChatRequest.model_validate({"messages": [{"role": "user", "content": "x"}], **fields})


def test_what_a_request_asks_for() -> None:
    plain = request()
    assert (plain.model, plain.limit, plain.stops, plain.tool_schemas) == ("live", None, (), ())
    assert request(max_tokens=3, max_completion_tokens=5).limit == 5
    assert request(stop="a").stops == ("a",)
    assert request(stop=["a", "b"]).stops == ("a", "b")
    tools = [{"type": "function", "function": {"name": "find"}}]
    assert len(request(tools=tools).tool_schemas) == 1
    assert request(tools=tools, tool_choice="none").tool_schemas == ()


def test_an_answer_in_openais_shape() -> None:
    call = ToolCall("c1", "find", "{}")
    message = Message("assistant", "", (call,))
    body = wire.completion("r1", 7, "n@1", message, "tool_calls", wire.usage(3, 4))
    (choice,) = body["choices"]
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "find", "arguments": "{}"}
    assert (choice["finish_reason"], body["model"], body["created"]) == ("tool_calls", "n@1", 7)
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert wire.call_deltas([call, call])[1]["index"] == 1


def test_an_event_is_one_line_of_json() -> None:
    event = wire.event(wire.chunk("r1", 7, "n@1", {"content": "ü\n"}))
    assert event.startswith("data: ")
    assert event.endswith("\n\n")
    assert event.count("\n") == 2
    assert "ü" in event
    assert json.loads(event.removeprefix("data: "))["choices"][0]["finish_reason"] is None
    assert wire.event("[DONE]") == "data: [DONE]\n\n"
