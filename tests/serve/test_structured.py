"""Answers that have to be something, from a real (tiny, random) model through the real client."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from nightschool.models.hf import HFModel
from tests.serve.conftest import Server

ORDER = {
    "type": "object",
    "properties": {
        "item": {"type": "string", "maxLength": 4},
        "count": {"type": "integer", "minimum": 1, "maximum": 99},
        "kind": {"enum": ["new", "used"]},
    },
    "required": ["item", "count", "kind"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "order", "schema": ORDER, "strict": True}}
TOOLS = [
    {"type": "function", "function": {"name": "order", "parameters": ORDER}},
    {"type": "function", "function": {"name": "stop", "strict": True}},
]


@pytest.fixture
def random(serving: Callable[..., Server], roomy: HFModel) -> Server:
    return serving(engine=roomy)


def create(server: Server, **options: Any) -> Any:
    messages: Any = [{"role": "user", "content": "Go."}]
    return server.client.chat.completions.create(model="live", messages=messages, **options)


def masked(home: Path) -> list[int]:
    with closing(sqlite3.connect(home / "nightschool.db")) as raw:
        query = "select masked from turns where response_id is not null order by id"
        return [row[0] for row in raw.execute(query)]


@pytest.mark.parametrize("seed", range(3))
def test_an_answer_by_a_schema(random: Server, home: Path, seed: int) -> None:
    answer = create(random, response_format=FORMAT, seed=seed)
    (choice,) = answer.choices
    assert choice.finish_reason == "stop"
    assert jsonschema_rs.is_valid(ORDER, json.loads(choice.message.content))
    streamed = create(random, response_format=FORMAT, seed=seed, stream=True)
    deltas = [chunk.choices[0].delta.content or "" for chunk in streamed]
    assert "".join(deltas) == choice.message.content
    assert len([delta for delta in deltas if delta]) > 5  # not held back
    create(random, max_tokens=3)
    assert masked(home) == [1, 1, 0]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("choice", "names"),
    [("required", {"order", "stop"}), ({"type": "function", "function": {"name": "order"}}, {"order"})],
)
def test_a_call_that_has_to_be_made(random: Server, choice: Any, names: set[str], stream: bool) -> None:
    for seed in range(2):
        answer = create(
            random, tools=TOOLS, tool_choice=choice, parallel_tool_calls=False, seed=seed, stream=stream
        )
        if stream:
            chunks = [chunk.choices[0] for chunk in answer]
            assert not any(chunk.delta.content for chunk in chunks)
            calls = [call for chunk in chunks for call in chunk.delta.tool_calls or ()]
            assert chunks[-1].finish_reason == "tool_calls"
        else:
            calls = answer.choices[0].message.tool_calls
            assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == (
                "tool_calls",
                None,
            )
        (call,) = calls
        assert call.function.name in names
        wanted = ORDER if call.function.name == "order" else {"const": {}}
        assert jsonschema_rs.is_valid(wanted, json.loads(call.function.arguments))


def test_an_answer_that_is_cut_off_is_told_so(random: Server) -> None:
    answer = create(random, response_format=FORMAT, max_tokens=6)
    assert answer.choices[0].finish_reason == "length"
    cut = create(random, tools=TOOLS, tool_choice="required", max_tokens=20)
    assert (cut.choices[0].finish_reason, cut.choices[0].message.tool_calls) == ("length", None)


@pytest.mark.parametrize("options", [{}, {"response_format": FORMAT}])
def test_log_probabilities_spell_the_answer(random: Server, options: dict[str, Any]) -> None:
    no_marks = {0: -100, 1: -100} if not options else {}
    options = {"logprobs": True, "top_logprobs": 3, "max_tokens": 60, "logit_bias": no_marks, **options}
    (choice,) = create(random, seed=5, **options).choices
    told = choice.logprobs.content
    said = bytes(byte for one in told for byte in one.bytes).decode(errors="replace")
    assert said == choice.message.content
    assert all(1 <= len(one.top_logprobs) <= 3 and one.logprob <= 0 for one in told)
    chunks = [chunk.choices[0].logprobs for chunk in create(random, seed=5, stream=True, **options)]
    streamed = [one for logprobs in chunks if logprobs for one in logprobs.content]
    assert [one.bytes for one in streamed] == [one.bytes for one in told]
    assert [one.logprob for one in streamed] == pytest.approx([one.logprob for one in told], abs=1e-4)


def test_several_answers(random: Server) -> None:
    answer = create(random, n=3, seed=7, max_tokens=8)
    texts = [choice.message.content for choice in answer.choices]
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len({*texts}) == 3
    assert answer.usage.completion_tokens == 24
    assert create(random, seed=8, max_tokens=8).choices[0].message.content == texts[1]


def test_a_token_can_be_forced_or_forbidden(random: Server) -> None:
    letter = random.model.tokenizer.encode("x")[0]
    answer = create(random, logit_bias={letter: 100}, max_tokens=5)
    assert answer.choices[0].message.content == "xxxxx"
    unknown = random.http.post(
        "/v1/chat/completions",
        json={"messages": [{"role": "user", "content": "x"}], "logit_bias": {"99999": 1}, "stream": True},
    )
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (400, "logit_bias")
