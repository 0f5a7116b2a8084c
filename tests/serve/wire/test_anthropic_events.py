"""Answers as Anthropic's Messages API tells them."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.engines.base import TokenOut
from nightschool.serve.answer import Answer, Finish
from nightschool.serve.wire.anthropic_errors import error
from nightschool.serve.wire.anthropic_events import MessagesWire
from nightschool.types import Message, ToolCall

CALLS = [ToolCall("c1", "find", '{"q": "ü"}'), ToolCall("c2", "read", "{}")]
USAGE = {"input_tokens": 3, "output_tokens": 4}
NOT_CACHED = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}


def answer(text: str, *calls: ToolCall) -> Answer:
    finish: Finish = "tool_calls" if calls else "stop"
    tokens = [TokenOut(0, 5, -1.0)] * 4
    return Answer("msg_1", 0, "s", "n@1", 3, 7, tokens, Message("assistant", text, calls), finish)


def streamed(told: Answer, pieces: list[str]) -> list[dict[str, Any]]:
    wire = MessagesWire()
    events = [*wire.begun([told])]
    for piece in pieces:
        events += wire.said(told, piece, [])
    events += [*wire.ended(told), *wire.closed([told])]
    data = []
    for event in events:
        name, text = event.removesuffix("\n\n").split("\n")
        data.append(json.loads(text.removeprefix("data: ")))
        assert name == f"event: {data[-1]['type']}"
    return data


def test_an_answer_in_anthropics_shape() -> None:
    assert MessagesWire().whole([answer("Let me see.", *CALLS)]) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "n@1",
        "content": [
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "c1", "name": "find", "input": {"q": "ü"}},
            {"type": "tool_use", "id": "c2", "name": "read", "input": {}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": USAGE | NOT_CACHED,
    }


@pytest.mark.parametrize(
    ("finish", "stopped_at", "reason"),
    [
        ("stop", None, "end_turn"),
        ("length", None, "max_tokens"),
        ("stop", "END", "stop_sequence"),
        ("tool_calls", "END", "tool_use"),
    ],
)
def test_why_an_answer_ended(finish: Finish, stopped_at: str | None, reason: str) -> None:
    told = replace(answer("hi"), finish=finish, stopped_at=stopped_at)
    body = MessagesWire().whole([told])
    assert (body["stop_reason"], body["stop_sequence"]) == (
        reason,
        stopped_at if reason == "stop_sequence" else None,
    )


def test_a_stream_in_anthropics_shape() -> None:
    events = streamed(answer("Let me see.", CALLS[0]), ["Let ", "me see."])
    start, ping, opened, first, second, closed, call, arguments, called, delta, stop = events
    assert (start["type"], ping, stop) == ("message_start", {"type": "ping"}, {"type": "message_stop"})
    begun = start["message"]
    assert (begun["content"], begun["stop_reason"], begun["stop_sequence"]) == ([], None, None)
    assert begun["usage"]["input_tokens"] == 3
    assert opened["content_block"] == {"type": "text", "text": ""}
    assert first["delta"] == {"type": "text_delta", "text": "Let "}
    assert second["delta"] == {"type": "text_delta", "text": "me see."}
    assert call["content_block"] == {"type": "tool_use", "id": "c1", "name": "find", "input": {}}
    assert arguments["delta"] == {"type": "input_json_delta", "partial_json": '{"q": "ü"}'}
    assert [e["index"] for e in (opened, first, second, closed)] == [0] * 4
    assert [e["index"] for e in (call, arguments, called)] == [1] * 3
    assert (closed["type"], called["type"]) == ("content_block_stop",) * 2
    assert delta == {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": USAGE | NOT_CACHED,
    }


words = st.text(alphabet=" \n\tab", max_size=4)


@given(st.lists(words, max_size=5), st.lists(st.sampled_from(CALLS), max_size=2))
def test_the_stream_is_the_answer(pieces: list[str], calls: list[ToolCall]) -> None:
    """Whatever pieces its text comes in; blanks around calls may vary."""
    text = "".join(pieces)
    told = answer(text.strip() if calls else text, *calls)
    content, closed = list[dict[str, Any]](), 0
    for event in streamed(told, pieces):
        if event["type"] == "content_block_start":
            assert event["index"] == len(content) == closed
            content.append({**event["content_block"], "input": ""})
        elif event["type"] == "content_block_delta":
            assert event["index"] == closed
            delta, block = event["delta"], content[-1]
            block["text"] = block.get("text", "") + delta.get("text", "")
            block["input"] += delta.get("partial_json", "")
        elif event["type"] == "content_block_stop":
            closed += 1
    assert closed == len(content)
    assert [said(block) for block in content] == [said(b) for b in MessagesWire().whole([told])["content"]]


def said(block: dict[str, Any]) -> Any:
    if block["type"] == "text":
        return block["text"].strip()
    given = block["input"]
    return block["id"], block["name"], json.loads(given) if isinstance(given, str) else given


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (413, "request_too_large"),
        (500, "api_error"),
        (503, "api_error"),
        (507, "api_error"),
    ],
)
def test_errors_in_anthropics_shape(status: int, kind: str) -> None:
    body = {"error": {"message": "no", "type": "x", "param": "y", "code": None}}
    expected = {"type": "error", "error": {"type": kind, "message": "no"}, "request_id": "req_1"}
    assert error(status, body, "req_1") == expected
    (event,) = MessagesWire().failed(status, body)
    assert event.startswith("event: error\ndata: ")
    assert json.loads(event.splitlines()[1].removeprefix("data: ")) == expected | {"request_id": None}


def test_what_is_too_long_is_said_in_anthropics_words() -> None:
    body = {"error": {"message": "9 tokens", "code": "context_length_exceeded"}}
    assert error(400, body)["error"]["message"] == "prompt is too long: 9 tokens"
