"""OpenAI's chat completions to our types and back."""

import json
from dataclasses import replace
from typing import Any

import pytest
from openai.types.chat.chat_completion import ChoiceLogprobs

from nightschool.engines.base import Sampling, TokenOut
from nightschool.serve.answer import Answer, Shape
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


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


TWO = [tool("find"), tool("get")]
NAMED = {"type": "function", "function": {"name": "get"}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
ONLY_GET = {"mode": "required", "tools": [NAMED]}


@pytest.mark.parametrize(
    ("fields", "shape", "offered"),
    [
        ({}, None, ["find", "get"]),
        ({"tool_choice": "auto"}, None, ["find", "get"]),
        ({"tool_choice": "none"}, None, []),
        ({"tool_choice": "required"}, Shape(tools=("find", "get")), ["find", "get"]),
        ({"tool_choice": NAMED}, Shape(tools=("get",), parallel=False), ["find", "get"]),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": ONLY_GET}},
            Shape(tools=("get",)),
            ["get"],
        ),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {**ONLY_GET, "mode": "auto"}}},
            None,
            ["get"],
        ),
        (
            {"response_format": {"type": "json_object"}},
            Shape({"type": "object"}, ("find", "get")),
            ["find", "get"],
        ),
        (
            {"response_format": {"type": "json_object"}, "tool_choice": "none"},
            Shape({"type": "object"}),
            [],
        ),
        (
            {
                "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
                "tool_choice": "required",
            },
            Shape(tools=("find", "get")),
            ["find", "get"],
        ),
    ],
)
def test_what_an_answer_has_to_be(fields: dict[str, Any], shape: Shape | None, offered: list[str]) -> None:
    ask = request(tools=TWO, **fields).ask()
    assert ask.shape == shape
    assert [tool["function"]["name"] for tool in ask.tools] == offered
    one = request(tools=TWO, **fields, parallel_tool_calls=False).ask().shape
    assert one == replace(shape or Shape(), parallel=False)


@pytest.mark.parametrize("strict", [None, False, True])
def test_a_schema_for_the_answer(strict: bool | None) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": strict}}
    assert request(response_format=form).ask().shape == Shape(SCHEMA, strict=bool(strict))
    assert request(response_format={"type": "text"}).ask().shape is None


def test_how_to_sample() -> None:
    how = request(
        top_k=-1, min_p=0.1, frequency_penalty=1, presence_penalty=-1, logit_bias={"7": -100, "9": 1}, n=3
    ).ask()
    assert how.sampling == Sampling(
        1,
        1.0,
        min_p=0.1,
        frequency_penalty=1,
        presence_penalty=-1,
        logit_bias=((7, -100), (9, 1)),
    )
    assert (how.count, how.top, request(top_k=40).ask().sampling.top_k) == (3, None, 40)
    assert request(logprobs=True).ask().top == 0
    assert request(logprobs=True, top_logprobs=5).ask().top == 5
    nulls = dict.fromkeys(("top_k", "min_p", "logit_bias", "n", "tool_choice", "logprobs", "response_format"))
    assert request(**nulls).ask() == request().ask()


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


def spell(token: int) -> bytes:
    return [b"a", b"\xc3", b"\xbc", b"<end>"][token]


def test_log_probabilities_in_openais_shape() -> None:
    tokens = [
        TokenOut(0, 0, -0.5, top=((0, -0.5), (1, -2.0))),
        TokenOut(0, 1, -1.0),
        TokenOut(0, 2, -0.25),
        TokenOut(0, 3, -0.125, "stop"),  # what ends an answer is no part of its content
    ]
    answer = Answer("r1", 0, "s", "n@1", tokens=tokens, message=Message("assistant", "aü"), finish="stop")
    wire = ChatWire(request(logprobs=True, top_logprobs=2), spell)
    (choice,) = wire.whole([answer])["choices"]
    told = choice["logprobs"]["content"]
    assert [(one["token"], one["bytes"], one["logprob"]) for one in told] == [
        ("a", [97], -0.5),
        ("\ufffd", [195], -1.0),  # a part of a character has no text, but its bytes
        ("\ufffd", [188], -0.25),
    ]
    assert bytes(byte for one in told for byte in one["bytes"]).decode() == "aü"
    assert told[0]["top_logprobs"] == [
        {"token": "a", "bytes": [97], "logprob": -0.5},
        {"token": "\ufffd", "bytes": [195], "logprob": -2.0},
    ]
    ChoiceLogprobs.model_validate(choice["logprobs"], strict=True)

    streamed = [*wire.said(answer, "a", tokens[:1]), *wire.said(answer, "ü", tokens[1:3])]
    chunks = [json.loads(text.removeprefix("data: "))["choices"][0] for text in streamed]
    assert [one for chunk in chunks for one in chunk["logprobs"]["content"]] == told
    assert [*wire.said(answer, "", tokens[3:])] == []
    (held_back,) = wire.said(answer, "", tokens[:1])  # a tool call's are told, though its text is not
    assert json.loads(held_back.removeprefix("data: "))["choices"][0]["delta"] == {"content": ""}
    assert ChatWire(request(), spell).whole([answer])["choices"][0]["logprobs"] is None


def test_an_answer_in_openais_shape() -> None:
    body = ChatWire(request(), spell).whole([CALLED])
    (choice,) = body["choices"]
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "find", "arguments": "{}"}
    assert (choice["finish_reason"], body["model"], body["created"]) == ("tool_calls", "n@1", 7)
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def test_a_stream_in_openais_shape() -> None:
    wire = ChatWire(request(stream=True, stream_options={"include_usage": True}), spell)
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
