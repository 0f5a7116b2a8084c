"""Answers as OpenAI's responses: in the official types, and the same as a stream and whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from nightschool.engines.base import TokenOut
from nightschool.serve.answer import Answer
from nightschool.serve.wire.responses import ResponsesRequest
from nightschool.serve.wire.responses_events import ResponsesWire
from nightschool.types import Message, ToolCall

EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
# Open Responses requires these, the types of the openai package do not have them.
BEYOND = {"store", "frequency_penalty", "presence_penalty"}
# What an Open Responses response has to have (its schema of 2026-04-24, `ResponseResource`).
REQUIRED = """
    id object created_at completed_at status incomplete_details model previous_response_id instructions output
    error tools tool_choice truncation parallel_tool_calls text top_p presence_penalty frequency_penalty
    top_logprobs temperature reasoning usage max_output_tokens max_tool_calls store background service_tier
    metadata safety_identifier prompt_cache_key
""".split()
TOOLS = [
    {"type": "function", "name": "find"},
    {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "stop"}]},
    {"type": "web_search"},
]


def request(**fields: Any) -> ResponsesRequest:
    return ResponsesRequest.model_validate({"input": "x", "tools": TOOLS, **fields})


def answer(text: str, *calls: ToolCall, **fields: Any) -> Answer:
    given: dict[str, Any] = {"finish": "tool_calls" if calls else "stop", "created": 7, "prompt": 3, **fields}
    tokens = [TokenOut(0, 5, -1.0)] * 4
    return Answer("resp_1", 0, "s", "n@1", tokens=tokens, message=Message("assistant", text, calls), **given)


def streamed(wire: ResponsesWire, told: Answer, pieces: Sequence[str]) -> list[dict[str, Any]]:
    """The data of the events, each of which is named like its type; the last one is [DONE]."""
    events = [*wire.begun([told])]
    for piece in pieces:
        events += wire.said(told, piece, [])
    *events, done = [*events, *wire.ended(told), *wire.closed([told])]
    assert done == "data: [DONE]\n\n"
    return [parsed(event) for event in events]


def parsed(event: str) -> dict[str, Any]:
    name, data, *rest = event.split("\n")
    assert rest == ["", ""]
    body: dict[str, Any] = json.loads(data.removeprefix("data: "))
    assert name == f"event: {body['type']}"
    return body


def extras(model: Any) -> Iterator[str]:
    """Fields that the official types do not know, at any depth."""
    if isinstance(model, BaseModel):
        yield from model.model_extra or ()
        for _, value in model:
            yield from extras(value)
    elif isinstance(model, list):
        for value in model:
            yield from extras(value)


def is_official(body: dict[str, Any]) -> None:
    assert {*REQUIRED} <= {*body}
    assert {*extras(TypeAdapter(Response).validate_python(body, strict=True))} <= BEYOND


CALLS = (ToolCall("c1", "find", '{"q": "ü"}'), ToolCall("c2", "agents.stop", "{}"))
FORMATS = [
    {"type": "text"},
    {"type": "json_object"},
    {"type": "json_schema", "name": "n", "schema": {"type": "object"}},
]


@pytest.mark.parametrize("told", [answer("hi"), answer(""), answer("hi", *CALLS), answer("", *CALLS[:1])])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {
            "tool_choice": {"type": "function", "name": "find"},
            "instructions": "Be brief.",
            "metadata": {"a": "b"},
        },
        {
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "find"}],
            }
        },
        *({"text": {"format": form}, "temperature": 0, "max_output_tokens": 5} for form in FORMATS),
    ],
)
def test_answers_are_what_the_official_types_expect(told: Answer, fields: dict[str, Any]) -> None:
    is_official(ResponsesWire(request(**fields)).whole([told]))
    for event in streamed(ResponsesWire(request(**fields)), told, [told.complete.content]):
        assert {*extras(EVENT.validate_python(event, strict=True))} <= BEYOND
        if "response" in event:
            is_official(event["response"])


def test_what_a_response_says() -> None:
    body = ResponsesWire(request(instructions="Be brief.", store=False)).whole([answer("hi", *CALLS)])
    message, call, namespaced = body["output"]
    assert message["content"] == [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}]
    assert (call["call_id"], call["name"], call["arguments"]) == ("c1", "find", '{"q": "ü"}')
    assert (namespaced["namespace"], namespaced["name"]) == ("agents", "stop")
    assert [item["id"] for item in body["output"]] == ["msg_1", "fc_1_0", "fc_1_1"]
    assert (body["status"], body["model"], body["created_at"]) == ("completed", "n@1", 7)
    assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"], body["usage"]["total_tokens"]) == (
        3,
        4,
        7,
    )
    assert body["instructions"] == "Be brief."
    assert body["store"]  # it is
    assert [tool["type"] for tool in body["tools"]] == ["function", "namespace"]  # what the model was offered


def test_the_order_of_events() -> None:
    kinds = [
        e["type"].removeprefix("response.")
        for e in streamed(ResponsesWire(request()), answer("h i", *CALLS[:1]), ["h ", "i"])
    ]
    assert kinds == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]


def test_an_answer_that_was_cut_off_is_incomplete() -> None:
    told = answer("hi", finish="length")
    body = ResponsesWire(request()).whole([told])
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert (body["output"][0]["status"], body["completed_at"]) == ("incomplete", None)
    *_, last = streamed(ResponsesWire(request()), told, ["hi"])
    assert (last["type"], last["response"]) == ("response.incomplete", body)


def test_an_answer_that_failed() -> None:
    wire = ResponsesWire(request())
    told = answer("hi")
    begun = [*wire.begun([told]), *wire.said(told, "h", [])]
    failed, done = wire.failed(500, {"error": {"message": "no", "type": "server_error"}})
    last = parsed(failed)
    EVENT.validate_python(last, strict=True)
    is_official(last["response"])
    assert (last["sequence_number"], done) == (len(begun), "data: [DONE]\n\n")
    assert last["response"]["status"] == "failed"
    assert last["response"]["error"] == {"code": "server_error", "message": "no"}


def test_the_answer_to_a_command_points_to_the_response_before_it() -> None:
    told = answer("Thank you.", recorded=False)
    for previous, expected in [("resp_0", "resp_0.1"), ("resp_0.9", "resp_0.1"), (None, "resp_.1")]:
        body = ResponsesWire(request(previous_response_id=previous)).whole([told])
        assert (body["id"], body["output"][0]["id"]) == (expected, expected.replace("resp_", "msg_"))
        assert not body["store"]


words = st.text(alphabet=" \n\tab", max_size=4)
told_calls = st.lists(st.sampled_from(CALLS), max_size=2)


@given(st.lists(words, max_size=5), words, told_calls)
def test_the_stream_is_the_answer(pieces: list[str], behind: str, calls: list[ToolCall]) -> None:
    """Whatever pieces its text comes in; text behind calls comes at the end, blanks around them may vary."""
    text = "".join(pieces)
    told = answer((text + behind).strip() if calls else text, *calls)
    events = streamed(ResponsesWire(request()), told, [*pieces, behind] if calls else pieces)
    assert [event["sequence_number"] for event in events] == [*range(len(events))]
    items, deltas = dict[int, dict[str, Any]](), dict[str, str]()
    for event in events:
        if event["type"] == "response.output_item.added":
            assert event["output_index"] == len(items) == len(deltas)
            items[event["output_index"]], deltas[event["item"]["id"]] = event["item"], ""
        elif event["type"].endswith(".delta"):
            deltas[event["item_id"]] += event["delta"]
        elif event["type"] == "response.output_item.done":
            item = event["item"]
            assert (items[event["output_index"]]["id"], item["status"]) == (item["id"], "completed")
            assert deltas[item["id"]] == (
                item["content"][0]["text"] if "content" in item else item["arguments"]
            )
            items[event["output_index"]] = item
    output = events[-1]["response"]["output"]
    assert output == [*items.values()]
    assert [blankless(item) for item in output] == [
        blankless(item) for item in ResponsesWire(request()).whole([told])["output"]
    ]


def blankless(item: dict[str, Any]) -> dict[str, Any]:
    if "content" not in item:
        return item
    (part,) = item["content"]
    return {**item, "content": [{**part, "text": part["text"].strip()}]}


class Record:
    """One answer, whatever is asked for."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def answer(self, response_id: str) -> Message:
        return self._message

    def up_to(self, response_id: str) -> tuple[tuple[Message, ...], str | None]:
        return (self._message,), None


@given(st.text(max_size=5), told_calls)
def test_what_a_client_sends_back_is_what_was_answered(text: str, calls: list[ToolCall]) -> None:
    told = answer(text, *calls)
    output = ResponsesWire(request()).whole([told])["output"]
    for items in (output, [{"type": "item_reference", "id": item["id"]} for item in output]):
        again = ResponsesRequest.model_validate({"input": items}).ask(Record(told.complete))
        assert again.messages == (told.complete,)
