"""After vLLM's tests/entrypoints/openai/chat_completion/test_chat.py. Its adapter is our live version."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
from openai import BadRequestError, OpenAI

MESSAGES: list[Any] = [
    {"role": "system", "content": "you are a helpful assistant"},
    {"role": "user", "content": "what is 1+1?"},
]
MODEL = pytest.mark.parametrize("model", ["base", "live"])


def asked(model: str, limit: int = 5, **options: Any) -> dict[str, Any]:
    return {"model": model, "messages": MESSAGES, "max_completion_tokens": limit, **options}


@MODEL
def test_no_logprobs_chat(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(**asked(model, temperature=0.0, logprobs=False))
    assert answer.choices[0].logprobs is None


@pytest.mark.parametrize("top", [0, 5], ids=["zero", "some"])
@MODEL
def test_logprobs_chat(client: OpenAI, model: str, top: int) -> None:
    answer = client.chat.completions.create(**asked(model, temperature=0.0, logprobs=True, top_logprobs=top))
    logprobs = answer.choices[0].logprobs
    assert logprobs
    assert logprobs.content
    assert [len(token.top_logprobs) for token in logprobs.content] == [top] * 5


@MODEL
def test_too_many_chat_logprobs(client: OpenAI, model: str) -> None:
    with pytest.raises(BadRequestError):
        list(client.chat.completions.create(**asked(model, logprobs=True, top_logprobs=21, stream=True)))
    with pytest.raises(BadRequestError):
        client.chat.completions.create(**asked(model, logprobs=True, top_logprobs=30))
    assert client.chat.completions.create(**asked(model)).choices[0].message.content is not None


@MODEL
def test_single_chat_session(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(**asked(model))
    assert answer.id
    (choice,) = answer.choices
    assert choice.finish_reason == "length"
    assert answer.usage
    assert answer.usage.completion_tokens == 5
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 5
    assert choice.message.role == "assistant"
    assert choice.message.content
    turns: list[Any] = [
        *MESSAGES,
        {"role": "assistant", "content": choice.message.content},
        {"role": "user", "content": "express your result in json"},
    ]
    second = client.chat.completions.create(model=model, messages=turns, max_completion_tokens=5)
    assert second.choices[0].message.content is not None


@MODEL
def test_chat_streaming(client: OpenAI, model: str) -> None:
    options = asked(model, 10, temperature=0.0)
    (whole,) = client.chat.completions.create(**options).choices
    choices = [chunk.choices[0] for chunk in client.chat.completions.create(**options, stream=True)]
    assert {choice.delta.role for choice in choices} <= {"assistant", None}
    assert [c.finish_reason for c in choices if c.finish_reason] == [whole.finish_reason]
    assert choices[-1].finish_reason
    assert "".join(choice.delta.content or "" for choice in choices) == whole.message.content


def test_chat_completion_stream_options_without_usage(client: OpenAI) -> None:
    options = asked("live", stream=True, stream_options={"include_usage": False})
    assert {chunk.usage for chunk in client.chat.completions.create(**options)} == {None}


def test_chat_completion_stream_options_with_usage(client: OpenAI) -> None:
    options = asked("live", stream=True, stream_options={"include_usage": True})
    *chunks, last = client.chat.completions.create(**options)
    assert {chunk.usage for chunk in chunks} == {None}
    assert last.choices == []
    assert last.usage
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens
    assert last.usage.completion_tokens == 5


def test_chat_completion_stream_options_without_stream(client: OpenAI) -> None:
    with pytest.raises(BadRequestError):
        client.chat.completions.create(**asked("live", stream_options={"include_usage": True}))


def test_response_format_json_object(client: OpenAI) -> None:
    """The peer wants the right result of a larger model; here any object will do."""
    ask = 'what is 1+1? please respond with a JSON object, the format is {"result": 2}'
    answer = client.chat.completions.create(
        model="live",
        messages=[{"role": "user", "content": ask}],
        temperature=0,
        max_completion_tokens=128,
        response_format={"type": "json_object"},
    )
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


def test_response_format_json_schema(client: OpenAI) -> None:
    ask = 'what is 1+1? The format is "result": 2'
    schema = {
        "type": "object",
        "properties": {"result": {"type": "integer", "minimum": 0, "maximum": 99}},
        "required": ["result"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="live",
        messages=[{"role": "user", "content": ask}],
        response_format={"type": "json_schema", "json_schema": {"name": "foo_test", "schema": schema}},
    )
    loaded = json.loads(answer.choices[0].message.content or "")
    assert loaded.keys() == {"result"}
    assert isinstance(loaded["result"], int)


def test_response_format_text(client: OpenAI) -> None:
    answer = client.chat.completions.create(**asked("live", 10, response_format={"type": "text"}))
    assert answer.choices[0].message.content is not None


def test_complex_message_content(client: OpenAI) -> None:
    """Parts are read as their text."""
    ask = "what is 1+1? please provide the result without any other text."

    def said(content: Any) -> str | None:
        answer = client.chat.completions.create(
            model="live", messages=[{"role": "user", "content": content}], temperature=0, seed=0, max_tokens=8
        )
        return answer.choices[0].message.content

    assert said([{"type": "text", "text": ask}]) == said(ask)


@pytest.mark.parametrize("seed", [-(2**63) - 1, 2**63], ids=["low", "high"])
def test_long_seed(client: OpenAI, seed: int) -> None:
    with pytest.raises(BadRequestError, match="seed"):
        client.chat.completions.create(**asked("live", temperature=0, seed=seed))


@pytest.mark.parametrize("options", [{"n": 3}, {"n": 2, "seed": 42}, {"n": 1}], ids=["three", "seed", "one"])
def test_chat_completion_n_parameter(client: OpenAI, options: dict[str, Any]) -> None:
    choices = client.chat.completions.create(**asked("live", 16, temperature=0.8, **options)).choices
    assert [choice.index for choice in choices] == [*range(options["n"])]
    said = [choice.message.content for choice in choices]
    assert all(said)
    assert len({*said}) > 1 or options["n"] == 1


def test_chat_completion_n_parameter_streaming(client: OpenAI) -> None:
    said = defaultdict[int, str](str)
    for chunk in client.chat.completions.create(**asked("live", 15, temperature=0.7, n=2, stream=True)):
        for choice in chunk.choices:
            said[choice.index] += choice.delta.content or ""
    assert said.keys() == {0, 1}
    assert all(said.values())
