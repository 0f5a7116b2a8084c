"""OpenAI's legacy completions to our types and back."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from nightschool.engines.base import TokenOut
from nightschool.errors import BadRequest
from nightschool.serve.answer import Answer, Ask
from nightschool.serve.wire.completions import CompletionRequest, CompletionWire
from nightschool.serve.wire.fields import explain
from nightschool.types import Message


def request(**fields: Any) -> CompletionRequest:
    try:
        return CompletionRequest.model_validate({"prompt": "x", **fields})
    except ValidationError as e:
        raise explain(e.errors()) from e


def ask(**fields: Any) -> Ask:
    return request(**fields).ask()


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("a", ("a",)),
        ("", ("",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1, 2], [3]], ((1, 2), (3,))),
        (["a", [3]], ("a", (3,))),
    ],
)
def test_prompts_as_clients_send_them(prompt: Any, prompts: tuple[Any, ...]) -> None:
    assert ask(prompt=prompt).prompts == prompts


def test_what_a_request_asks_for() -> None:
    plain = ask()
    assert (plain.model, plain.messages, plain.limit, plain.stops, plain.count) == ("live", (), 16, (), 1)
    assert (plain.sampling.temperature, plain.sampling.top_p, plain.sampling.seed) == (1.0, 1.0, None)
    assert (plain.top, plain.stream, plain.tools) == (None, False, ())
    full = ask(temperature=0, top_p=0.5, seed=7, n=2, best_of=2, stop="a", logprobs=0, stream=True)
    assert (full.sampling.temperature, full.sampling.top_p, full.sampling.seed) == (0, 0.5, 7)
    assert (full.count, full.stops, full.top, full.stream) == (2, ("a",), 0, True)
    assert ask(stop=["a", "b"]).stops == ("a", "b")
    neutral = {"suffix": "", "echo": False, "logit_bias": {}, "frequency_penalty": 0, "stop": None}
    assert ask(**neutral) == plain


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [1, "a"]}, "prompt.0.1"),
        ({"prompt": [-1]}, "prompt.0.0"),
        ({"prompt": {"a": 1}}, "prompt"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 0}, "n:"),
        ({"best_of": 3}, "best_of"),
        ({"echo": True}, "echo"),
        ({"suffix": "b"}, "suffix"),
        ({"logprobs": 5}, "logprobs: 5"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"presence_penalty": 1}, "presence_penalty"),
        ({"messages": []}, "messages is not supported"),
    ],
)
def test_what_cannot_be_used_is_named(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRequest) as refused:
        ask(**fields)
    assert str(refused.value).startswith(named)


def decode(tokens: Sequence[int]) -> str:
    return "".join(map(chr, tokens))


def answers(*texts: str, prompt: int = 3) -> list[Answer]:
    return [
        Answer(
            "cmpl-1",
            index,
            None,
            "n@1",
            prompt,
            7,
            [TokenOut(0, ord(c), -0.5) for c in text],
            Message("assistant", text),
            "stop",
            recorded=False,
        )
        for index, text in enumerate(texts)
    ]


HEAD = {"id": "cmpl-1", "object": "text_completion", "created": 7, "model": "n@1"}
LOGPROBS = {
    "tokens": ["h", "i"],
    "token_logprobs": [-0.5, -0.5],
    "top_logprobs": [{"h": -0.5}, {"i": -0.5}],
    "text_offset": [0, 1],
}


def test_answers_in_openais_shape() -> None:
    body = CompletionWire(request(logprobs=0), decode).whole(answers("hi"))
    choice = {"index": 0, "text": "hi", "finish_reason": "stop", "logprobs": LOGPROBS}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert body == {**HEAD, "choices": [choice], "usage": usage}
    assert CompletionWire(request(), decode).whole(answers("hi"))["choices"][0]["logprobs"] is None


def test_a_prompt_counts_once_for_its_answers() -> None:
    body = CompletionWire(request(prompt=["a", "b"], n=2), decode).whole(answers("1", "2", "3", "4"))
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2, 3]
    assert body["usage"] == {"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10}


def test_a_stream_in_openais_shape() -> None:
    told = answers("hi")
    (answer,) = told
    wire = CompletionWire(request(logprobs=0, stream_options={"include_usage": True}), decode)
    events = [*wire.begun(told)]
    for token in answer.tokens:
        events += wire.said(answer, decode([token.token]), [token])
    events += [*wire.ended(answer), *wire.closed(told)]
    assert events.pop() == "data: [DONE]\n\n"
    *chunks, end, usage = [json.loads(event.removeprefix("data: ")) for event in events]
    assert all(chunk.items() >= HEAD.items() for chunk in [*chunks, end, usage])
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["h", "i"]
    assert [chunk["choices"][0]["logprobs"]["text_offset"] for chunk in chunks] == [[0], [1]]
    assert [chunk["choices"][0]["finish_reason"] for chunk in [*chunks, end]] == [None, None, "stop"]
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 5)
