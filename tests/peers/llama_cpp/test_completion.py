"""After llama.cpp's tools/server/tests/unit/test_completion.py; what it asks of /completion, of a chat."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from openai import OpenAI

from tests.peers.wire import choice

PROMPT = "I believe the meaning of life is"
MESSAGES = [{"role": "user", "content": PROMPT}]


def said(http: httpx.Client, *, stream: bool = False, **options: Any) -> str:
    text: str = choice(http, stream, messages=MESSAGES, max_tokens=16, **options)["message"]["content"]
    return text


def test_completion_stream_vs_non_stream(http: httpx.Client) -> None:
    assert said(http, stream=True, temperature=0) == said(http, temperature=0)


def test_completion_with_openai_library(client: OpenAI) -> None:
    answer = client.completions.create(model="live", prompt=PROMPT, max_tokens=8)
    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].text


def test_completion_stream_with_openai_library(client: OpenAI) -> None:
    chunks = list(client.completions.create(model="live", prompt=PROMPT, max_tokens=8, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == [
        "length"
    ]


def test_consistent_result_same_seed(http: httpx.Client) -> None:
    assert len({said(http, seed=42, temperature=1.0) for _ in range(4)}) == 1


def test_different_result_different_seed(http: httpx.Client) -> None:
    assert len({said(http, seed=seed, temperature=1.0) for seed in range(4)}) == 4


def test_consistent_result_different_batch_size(http: httpx.Client) -> None:
    alone = said(http, seed=42, temperature=0.0)
    with ThreadPoolExecutor(4) as pool:
        together = set(pool.map(lambda _: said(http, seed=42, temperature=0.0), range(4)))
    assert together == {alone}
