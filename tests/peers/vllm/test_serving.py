"""After vLLM's tests of its server: instrumentator/test_basic.py, middleware/test_cors_middleware.py and
test_x_request_id.py under tests/entrypoints/serve."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest
from openai import APIStatusError, APITimeoutError, OpenAI
from openai.types.chat import ChatCompletionUserMessageParam

from tests.peers.conftest import ORIGIN

STORY: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Write a long story"}]
CHAT = "/v1/chat/completions"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


def test_request_cancellation(client: OpenAI) -> None:
    """Requests whose clients went away hold up nobody: 24,000 tokens would take minutes."""

    def impatient(_: int) -> None:
        with suppress(APITimeoutError):
            client.with_options(timeout=0.5).chat.completions.create(
                model="live", messages=STORY, max_tokens=2000, temperature=0.0
            )

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(impatient, range(12)))
    answer = client.with_options(timeout=30).chat.completions.create(
        model="live", messages=STORY, max_tokens=10, temperature=0.0
    )
    assert len(answer.choices) == 1


@pytest.mark.xfail(
    strict=True,
    reason="`curl -d` calls JSON a form, and is understood; only a page has to say what it sends",
)
def test_request_wrong_content_type(client: OpenAI) -> None:
    with pytest.raises(APIStatusError):
        client.chat.completions.create(
            model="live",
            messages=STORY,
            max_tokens=8,
            extra_headers={"Content-Type": "application/x-www-form-urlencoded"},
        )


def test_default_origins_prevent_cross_origin_reads_and_json_requests(http: httpx.Client) -> None:
    foreign = {"Origin": "http://attacker.example"}
    read = http.get("/v1/models", headers=foreign)
    preflight = http.options(CHAT, headers=foreign | PREFLIGHT)
    assert "access-control-allow-origin" not in read.headers
    assert "access-control-allow-origin" not in preflight.headers
    assert 400 <= preflight.status_code < 500


def test_explicit_origin_allows_browser_requests(http: httpx.Client) -> None:
    read = http.get("/v1/models", headers={"Origin": ORIGIN})
    preflight = http.options(CHAT, headers={"Origin": ORIGIN} | PREFLIGHT)
    assert read.headers["access-control-allow-origin"] == ORIGIN
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN


def test_response_has_one_request_id(http: httpx.Client) -> None:
    given = http.get("/v1/models", headers={"X-Request-Id": "caller"})
    assert given.headers.get_list("x-request-id") == ["caller"]
    (first,) = http.get("/v1/models").headers.get_list("x-request-id")
    (second,) = http.get("/v1/models").headers.get_list("x-request-id")
    assert first != second
