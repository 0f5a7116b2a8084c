"""OpenAI's chat completions to our types and back."""

import json
from typing import Any

from nightschool.engines.base import TokenOut
from nightschool.serve.answer import Answer
from nightschool.serve.wire.chat import ChatRequest, ChatWire
from nightschool.serve.wire.fields import event
from nightschool.types import Message, ToolCall


def request(**fields: Any) -> ChatRequest:
    return ChatRequest.model_validate({"messages": [{"role": "user", "content": "x"}], **fields})


def test_what_a_request_asks_for() -> None:
    plain = request().ask()
    assert (plain.model, plain.limit, plain.stops, plain.tools) == ("live", None, (), ())
    assert plain.messages == (Message("user", "x"),)
    assert (plain.sampling.temperature, plain.sampling.top_p) == (1.0, 1.0)
    assert request(max_tokens=3, max_completion_tokens=5).ask().limit == 5
    assert request(stop="a").ask().stops == ("a",)
    assert request(stop=["a", "b"]).ask().stops == ("a", "b")
    tools = [{"type": "function", "function": {"name": "find"}}]
    assert len(request(tools=tools).ask().tools) == 1
    assert request(tools=tools, tool_choice="none").ask().tools == ()


CALL = ToolCall("c1", "find", "{}")
CALLED = Answer(
    "r1",
    0,
    "s",
    "n@1",
    3,
    7,
    [TokenOut(0, 5, -1.0)] * 4,
    Message("assistant", "", (CALL, CALL)),
    "tool_calls",
)


def test_an_answer_in_openais_shape() -> None:
    body = ChatWire(request()).whole([CALLED])
    (choice,) = body["choices"]
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "find", "arguments": "{}"}
    assert (choice["finish_reason"], body["model"], body["created"]) == ("tool_calls", "n@1", 7)
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def test_a_stream_in_openais_shape() -> None:
    wire = ChatWire(request(stream=True, stream_options={"include_usage": True}))
    events = [
        *wire.begun([CALLED]),
        *wire.said(CALLED, "ü\n", []),
        *wire.ended(CALLED),
        *wire.closed([CALLED]),
    ]
    assert events[-1] == "data: [DONE]\n\n"
    data = [json.loads(text.removeprefix("data: ")) for text in events[:-1]]
    deltas = [chunk["choices"][0]["delta"] for chunk in data[:-1]]
    assert deltas[:2] == [{"role": "assistant", "content": ""}, {"content": "ü\n"}]
    assert [call["index"] for call in deltas[2]["tool_calls"]] == [0, 1]
    assert deltas[3] == {}
    assert [chunk["choices"][0]["finish_reason"] for chunk in data[:-1]] == [None, None, None, "tool_calls"]
    assert (data[-1]["choices"], data[-1]["usage"]["total_tokens"]) == ([], 7)


def test_an_event_is_one_line_of_json() -> None:
    told = event({"content": "ü\n"})
    assert (told, event("[DONE]")) == ('data: {"content": "ü\\n"}\n\n', "data: [DONE]\n\n")
    assert event({"type": "x"}) == 'event: x\ndata: {"type": "x"}\n\n'
