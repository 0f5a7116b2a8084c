"""Bodies whose texts can be stored and sent."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.serve.body import whole
from tests.serve.conftest import Server

TEXTS = st.text(st.characters())  # halves of characters, too
JSON = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=10,
)


@given(JSON)
def test_nothing_has_half_a_character_and_the_rest_stays(data: Any) -> None:
    sent = json.loads(json.dumps(data))  # joins two halves that belong together
    made = whole(sent)
    json.dumps(made, ensure_ascii=False).encode()  # raises for half a character
    try:
        json.dumps(sent, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        assert made != sent
    else:
        assert made == sent


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": "hi \ud83d"}]},
        {"user": "\ud83d"},
        {"tools": [{"type": "function", "function": {"name": "f\ud83d", "description": "\udc00"}}]},
        {"stop": ["\ud83d"]},
    ],
)
def test_half_an_emoji_is_answered_and_listed(server: Server, fields: dict[str, Any]) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], **fields}
    answer = server.http.post("/v1/chat/completions", content=json.dumps(body))
    assert answer.status_code == 200, answer.text
    assert len(server.http.get("/v1/sessions").json()["data"]) == 1


def test_half_an_emoji_in_the_name_of_a_model_is_no_crash(server: Server) -> None:
    body = {"model": "m\ud83d", "messages": [{"role": "user", "content": "x"}]}
    assert server.http.post("/v1/chat/completions", content=json.dumps(body)).status_code == 404


def test_a_body_that_is_nested_too_deep(server: Server) -> None:
    refused = server.http.post("/v1/chat/completions", content=b'{"messages": ' + b"[" * 100_000)
    assert refused.status_code == 400
