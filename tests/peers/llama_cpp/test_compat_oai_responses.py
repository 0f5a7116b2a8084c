"""After llama.cpp's tools/server/tests/unit/test_compat_oai_responses.py."""

from __future__ import annotations

from typing import Any

import httpx
from openai import OpenAI
from openai.types.responses import ResponseOutputMessage

from tests.peers.wire import post, refused

RESPONSES = "/v1/responses"
BOOK: Any = [
    {"role": "system", "content": "Book"},
    {"role": "user", "content": "What is the best book"},
]


def text(http: httpx.Client, form: dict[str, Any], limit: int) -> str:
    body = post(http, RESPONSES, input="Write an example", max_output_tokens=limit, text={"format": form})
    message = next(item for item in body["output"] if item["type"] == "message")
    said: str = message["content"][0]["text"]
    return said


def test_responses_with_text_format_json_schema(http: httpx.Client) -> None:
    form = {"type": "json_schema", "name": "test", "schema": {"const": "foooooo"}}
    assert text(http, form, 16) == '"foooooo"'


def test_responses_with_text_format_json_object(http: httpx.Client) -> None:
    assert text(http, {"type": "json_object"}, 10).lstrip().startswith("{")


def test_responses_with_text_format_text(http: httpx.Client) -> None:
    assert text(http, {"type": "text"}, 10)


def test_responses_with_text_format_without_schema(http: httpx.Client) -> None:
    form = {"type": "json_schema", "name": "test"}
    refused(http, RESPONSES, {"model": "live", "input": "Write an example", "text": {"format": form}})


def test_responses_with_openai_library(client: OpenAI) -> None:
    answer = client.responses.create(model="live", input=BOOK, max_output_tokens=8, temperature=0.8)
    assert answer.id.startswith("resp_")
    message = answer.output[0]
    assert isinstance(message, ResponseOutputMessage)
    assert message.id.startswith("msg_")
    assert answer.output_text


def test_responses_stream_with_openai_library(client: OpenAI) -> None:
    stream = client.responses.create(
        model="live", input=BOOK, max_output_tokens=8, temperature=0.8, stream=True
    )
    seen = list[Any](stream)
    responses = {event.response.id for event in seen if hasattr(event, "response")}
    (response_id,) = responses
    assert response_id.startswith("resp_")
    items = {event.item_id for event in seen if hasattr(event, "item_id")}
    items |= {event.item.id for event in seen if hasattr(event, "item")}
    (item_id,) = items
    assert item_id.startswith("msg_")
    gathered = "".join(event.delta for event in seen if event.type == "response.output_text.delta")
    # A limit that is reached ends a response as incomplete; the peer calls it completed.
    assert seen[-1].type in ("response.completed", "response.incomplete")
    assert seen[-1].response.output[0].id == item_id
    assert gathered
    assert gathered == seen[-1].response.output_text
