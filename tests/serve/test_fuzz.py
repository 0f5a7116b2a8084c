"""Bodies of all APIs, damaged: no 5xx, errors in the API's own shape, and the listing still works after.

`NIGHTSCHOOL_FUZZ` is their number (`make fuzz`: 100,000).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from nightschool.config import NightConfig, ServeConfig
from nightschool.engines.scripted import ScriptedModel
from nightschool.night.schedule import Schedule
from nightschool.serve import create_app
from nightschool.store import Store

EXAMPLES = int(os.environ.get("NIGHTSCHOOL_FUZZ", "300"))
LISTED_EVERY = 1000  # examples
CALL = {"name": "find", "arguments": {"q": "x"}}
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
CHAT_TOOL = {
    "type": "function",
    "function": {"name": "find", "description": "Finds", "parameters": SCHEMA, "strict": True},
}
CHAT_CALL = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"q": "x"}'}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
# Each is answered as it is, and has whatever a client may send.
CHATS: list[dict[str, Any]] = [
    {
        "model": "live",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "find x"}], "name": "ann"},
            {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL], "refusal": None},
            {"role": "tool", "tool_call_id": "call_1", "content": "1"},
            {"role": "user", "content": "and \N{GRINNING FACE}?"},
        ],
        "tools": [CHAT_TOOL],
        "tool_choice": "auto",
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["x"],
        "max_tokens": 8,
        "user": "ann",
        "stream": True,
        "stream_options": {"include_usage": True},
    },
    {"model": "live", "messages": [{"role": "user", "content": "/good"}], "n": 1, "logit_bias": {}},
    {"messages": [{"role": "user", "content": "hi"}], "response_format": {"type": "text"}, "metadata": {}},
]
RESPONSES: list[dict[str, Any]] = [
    {
        "model": "live",
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "find x"}]},
            {"type": "function_call", "call_id": "call_1", "name": "find", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "1"},
            {"type": "message", "role": "user", "content": "and?"},
        ],
        "tools": [{"type": "function", "name": "find", "parameters": SCHEMA, "strict": False}],
        "tool_choice": "auto",
        "text": {"format": {"type": "text"}},
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low"},
        "stream": True,
        "max_output_tokens": 16,
        "store": False,
    },
    {"model": "live", "input": "hi", "temperature": 0, "metadata": {"a": "b"}},
]
MESSAGES: list[dict[str, Any]] = [
    {
        "model": "live",
        "max_tokens": 16,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "find x"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"q": "x"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "1"},
                    {"type": "text", "text": "and?"},
                ],
            },
        ],
        "tools": [{"name": "find", "description": "Finds", "input_schema": SCHEMA}],
        "tool_choice": {"type": "auto"},
        "temperature": 0.5,
        "stop_sequences": ["x"],
        "metadata": {"user_id": "ann"},
        "stream": True,
    },
    {"model": "live", "max_tokens": 8, "messages": [{"role": "user", "content": "hi"}]},
]
VALID = {"/v1/chat/completions": CHATS, "/v1/responses": RESPONSES, "/v1/messages": MESSAGES}
REQUESTS = [(path, body) for path, bodies in VALID.items() for body in bodies]
# Written into the JSON text instead of these strings, as Python can write neither.
DEEP = {f"deep {n}": "[" * n + "]" * n for n in (200, 5000, 200_000)}
HALVES = ["\ud83d", "a\ude00b"]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, -(2**63) - 1, 10**30, 1e308, -0.0, 0.5]),
    st.text(max_size=8),
    st.sampled_from([*DEEP, *HALVES, "", " ", "\x00", "\x1b[31m", "<tool_call>", "</tool_call>", "x" * 9000]),
    st.sampled_from([[], {}, [[]], [{}], [None], {"": None}, {"type": "text"}, {"type": "image"}, IMAGE]),
    st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
)


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Each container in a body, with each of its keys."""
    for key, value in list(data.items() if isinstance(data, dict) else enumerate(data)):
        yield data, key
        if isinstance(value, dict | list):
            yield from places(value)


def damage(draw: st.DrawFn, body: dict[str, Any]) -> None:
    """Change one thing."""
    all_places = list(places(body))
    if not all_places:
        return
    container, key = draw(st.sampled_from(all_places))
    value = container[key]
    match draw(st.sampled_from(["drop", "null", "replace", "wrap", "unwrap", "repeat", "add", "move"])):
        case "drop":
            del container[key]
        case "null":
            container[key] = None
        case "replace":
            container[key] = deepcopy(draw(JUNK))
        case "wrap":
            container[key] = [value] if draw(st.booleans()) else {"type": value}
        case "unwrap" if isinstance(value, dict | list) and value:
            container[key] = next(iter(value.values() if isinstance(value, dict) else value))
        case "repeat" if isinstance(container, list):
            container += [deepcopy(value) for _ in range(draw(st.sampled_from([1, 20])))]
        case "add" if isinstance(container, dict):
            container[draw(st.one_of(st.text(max_size=6), st.sampled_from(FIELDS)))] = deepcopy(draw(JUNK))
        case _:
            other, place = draw(st.sampled_from(all_places))
            other[place] = deepcopy(value)


# Fields of all APIs, so that each also meets the others'.
FIELDS = sorted(
    {key for _, body in REQUESTS for container, key in places(body) if isinstance(container, dict)}
    | {"logprobs", "top_logprobs", "n", "top_k", "min_p", "frequency_penalty", "presence_penalty", "prompt"}
    | {"previous_response_id", "thinking", "parsed", "reasoning_content", "audio", "functions", "logit_bias"}
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str]:
    """A path, and the text of a damaged body."""
    path, body = draw(st.sampled_from(REQUESTS))
    body = deepcopy(body)
    for _ in range(draw(st.integers(1, 3))):
        damage(draw, body)
    text = json.dumps(body)
    for name, deep in DEEP.items():
        text = text.replace(f'"{name}"', deep)
    return path, text


@pytest.fixture
def client(home: Path) -> Iterator[TestClient]:
    answers = ["yes", f"<tool_call>{json.dumps(CALL)}</tool_call>", "<tool_call>{", "\N{GRINNING FACE}"]
    app = create_app(
        ScriptedModel(lambda prompt, _: answers[len(prompt) % len(answers)]),
        Store.open(home),
        ServeConfig(),
        dream=lambda: "d_1",
        schedule=Schedule(NightConfig(), lambda: "d_1"),
    )
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as opened:
        yield opened


def check(path: str, response: Any) -> None:
    """No error of ours, and one of the client's in the shape of the API."""
    assert response.status_code < 500, response.text
    assert '"server_error"' not in response.text, response.text
    assert '"api_error"' not in response.text, response.text
    if response.status_code != 200:
        body = response.json()
        assert (
            set(body["error"]) == {"message", "type"}
            if "type" in body
            else {"message", "type", "param", "code"}
        )
        assert len(body["error"]["message"].splitlines()) == 1


@pytest.mark.parametrize(
    ("path", "body"), REQUESTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_undamaged_bodies_are_answered(client: TestClient, path: str, body: dict[str, Any]) -> None:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    check(path, response)


def test_no_body_breaks_the_server(client: TestClient) -> None:
    answers = Counter[tuple[str, int]]()

    @given(requests())
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
    def try_one(request: tuple[str, str]) -> None:
        path, text = request
        response = client.post(path, content=text, headers={"Content-Type": "application/json"})
        answers[path, response.status_code] += 1
        check(path, response)
        if answers.total() % LISTED_EVERY == 0:
            listed()

    def listed() -> None:
        sessions = client.get("/v1/sessions")
        assert sessions.status_code == 200, sessions.text
        for session in sessions.json()["data"][:20]:
            assert client.get(f"/v1/sessions/{session['id']}").status_code == 200

    try_one()
    listed()
    for (path, status), count in sorted(answers.items()):
        print(path, status, count)  # `make fuzz` shows it
