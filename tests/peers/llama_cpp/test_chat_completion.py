"""After llama.cpp's tools/server/tests/unit/test_chat_completion.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import BadRequestError, OpenAI
from openai.types.chat.chat_completion_token_logprob import ChatCompletionTokenLogprob
from transformers import AutoTokenizer

from nightschool.models.embedded import ensure
from tests.peers.wire import events, post, refused

CHAT = "/v1/chat/completions"
PARTS = [{"type": "text", "text": "What is"}, {"type": "text", "text": "the best book"}]
BOOK: list[Any] = [
    {"role": "system", "content": "Book"},
    {"role": "user", "content": "What is the best book"},
]
TALKS = {
    "hey": ("Book", "Hey", 8),
    "book": ("Book", "What is the best book", 8),
    "parts": ("Book", PARTS, 8),
    "long": ("You are a coding assistant.", "Write the fibonacci function in c++.", 32),
}


def talk(name: str) -> tuple[list[Any], int]:
    system, user, limit = TALKS[name]
    return [{"role": "system", "content": system}, {"role": "user", "content": user}], limit


@pytest.mark.parametrize("name", TALKS)
def test_chat_completion(http: httpx.Client, name: str) -> None:
    messages, limit = talk(name)
    body = post(http, CHAT, messages=messages, max_tokens=limit, temperature=0)
    assert "cmpl" in body["id"]
    usage, choice = body["usage"], body["choices"][0]
    assert usage["prompt_tokens"] > 0
    assert usage["completion_tokens"] == limit
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"]
    assert choice["finish_reason"] == "length"


@pytest.mark.parametrize("name", ["hey", "book", "parts"])
def test_chat_completion_of_the_sdk(client: OpenAI, name: str) -> None:
    """The peer runs these with a second template engine."""
    messages, limit = talk(name)
    answer = client.chat.completions.create(model="live", messages=messages, max_tokens=limit, temperature=0)
    assert answer.usage
    assert answer.usage.completion_tokens == limit
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize("name", ["book", "long"])
def test_chat_completion_stream(http: httpx.Client, name: str) -> None:
    messages, limit = talk(name)
    options = {"messages": messages, "max_tokens": limit, "temperature": 0}
    chunks = events(http, CHAT, **options, stream_options={"include_usage": True})
    assert len({chunk["id"] for chunk in chunks}) == 1
    first, *rest = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    assert first["delta"]["role"] == "assistant"
    assert not any("role" in each["delta"] for each in rest)
    assert [each["finish_reason"] for each in rest] == [None] * (len(rest) - 1) + ["length"]
    assert "content" not in rest[-1]["delta"]
    said = "".join(each["delta"].get("content") or "" for each in [first, *rest])
    assert said == post(http, CHAT, **options)["choices"][0]["message"]["content"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == limit


def test_chat_completion_with_openai_library(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="live", messages=BOOK, max_tokens=8, seed=42, temperature=0.8
    )
    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].message.content


def test_completion_with_response_format_json_schema(http: httpx.Client) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "constant", "schema": {"const": "foooooo"}}}
    body = post(http, CHAT, messages=BOOK, max_tokens=16, response_format=form)
    assert body["choices"][0]["message"]["content"] == '"foooooo"'


def test_completion_with_response_format_json_object(http: httpx.Client) -> None:
    body = post(http, CHAT, messages=BOOK, max_tokens=10, response_format={"type": "json_object"})
    assert body["choices"][0]["message"]["content"].lstrip().startswith("{")


def test_completion_with_response_format_unknown(http: httpx.Client) -> None:
    refused(http, CHAT, {"model": "live", "messages": BOOK, "response_format": {"type": "sound"}})


@pytest.mark.parametrize(
    "messages",
    [
        None,
        "string",
        [123],
        [{}],
        [{"role": 123}],
        [{"role": "system", "content": 123}],
        [{"role": "system", "content": "test"}, {}],
    ],
    ids=["null", "string", "number", "empty", "role-number", "content-number", "second-empty"],
)
def test_invalid_chat_completion_req(http: httpx.Client, messages: Any) -> None:
    refused(http, CHAT, {"model": "live", "messages": messages})


LOGPROBS: dict[str, Any] = {
    "model": "live",
    "temperature": 0.0,
    "messages": BOOK,
    "max_tokens": 5,
    "logprobs": True,
    "top_logprobs": 10,
}


def texts(tokens: list[ChatCompletionTokenLogprob] | None) -> Iterator[str]:
    assert tokens is not None
    for token in tokens:
        assert token.logprob <= 0
        assert token.bytes is not None
        assert len(token.top_logprobs) > 0
        yield token.token


def test_logprobs(client: OpenAI) -> None:
    choice = client.chat.completions.create(**LOGPROBS).choices[0]
    assert choice.logprobs
    assert "".join(texts(choice.logprobs.content)) == choice.message.content


def test_logprobs_stream(client: OpenAI) -> None:
    said = told = ""
    for chunk in client.chat.completions.create(**LOGPROBS, stream=True):
        for choice in chunk.choices:
            said += choice.delta.content or ""
            if choice.logprobs:
                told += "".join(texts(choice.logprobs.content))
    assert said
    assert told == said


def test_logit_bias(http: httpx.Client) -> None:
    words = (
        "i I the The to a an be is was but But and And so So you You he He she She we We they They".split()
    )
    tokenizer = AutoTokenizer.from_pretrained(ensure())
    text = " " + " ".join(words) + " book Book "
    bias = {str(token): -100 for token in tokenizer.encode(text, add_special_tokens=False)}
    body = post(http, CHAT, messages=BOOK, max_tokens=64, temperature=0, logit_bias=bias)
    said = body["choices"][0]["message"]["content"]
    assert said
    assert not [word for word in words if f" {word} " in said]


def test_context_size_exceeded(http: httpx.Client) -> None:
    error = refused(http, CHAT, {"model": "live", "messages": BOOK * 600})
    assert error["code"] == "context_length_exceeded"


def test_context_size_exceeded_stream(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as refusal:
        list(client.chat.completions.create(model="live", messages=BOOK * 600, stream=True))
    assert refusal.value.code == "context_length_exceeded"


def test_chat_completions_multiple_choices(http: httpx.Client) -> None:
    choices = post(http, CHAT, messages=BOOK, max_tokens=8, n=2)["choices"]
    assert len(choices) == 2
    for each in choices:
        assert each["message"]["role"] == "assistant"
        assert each["message"]["content"]
        assert each["finish_reason"] == "length"
