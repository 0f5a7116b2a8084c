"""After llama.cpp's tools/server/tests/unit/test_security.py. A script answers: it matters not what."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from openai import OpenAI

from tests.peers.conftest import ORIGIN
from tests.serve.conftest import Server, serving

KEY = "sk-this-is-the-secret-key"
PROMPT = {"model": "live", "prompt": "I believe the meaning of life is", "max_tokens": 8}
__all__ = ["serving"]  # a fixture


@pytest.fixture
def guarded(serving: Callable[..., Server]) -> httpx.Client:
    return serving(api_key=KEY, allowed_origins=ORIGIN).http


def test_access_static_assets_without_api_key(guarded: httpx.Client) -> None:
    response = guarded.get("/")
    assert response.status_code == 200, response.text
    assert "html" in response.headers["content-type"]


@pytest.mark.parametrize("key", [None, "invalid-key"])
def test_incorrect_api_key(guarded: httpx.Client, key: str | None) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    response = guarded.post("/v1/completions", json=PROMPT, headers=headers)
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "authentication_error"


def test_correct_api_key(guarded: httpx.Client) -> None:
    response = guarded.post("/v1/completions", json=PROMPT, headers={"Authorization": f"Bearer {KEY}"})
    assert response.status_code == 200, response.text
    assert response.json()["choices"][0]["text"]


def test_correct_api_key_anthropic_header(guarded: httpx.Client) -> None:
    response = guarded.post("/v1/completions", json=PROMPT, headers={"X-Api-Key": KEY})
    assert response.status_code == 200, response.text
    assert response.json()["choices"][0]["text"]


def test_openai_library_correct_api_key(guarded: httpx.Client) -> None:
    with OpenAI(api_key=KEY, base_url=f"{guarded.base_url}/v1", max_retries=0) as client:
        answer = client.chat.completions.create(
            model="live",
            messages=[
                {"role": "system", "content": "You are a chatbot."},
                {"role": "user", "content": "What is the meaning of life?"},
            ],
        )
    assert len(answer.choices) == 1


def preflight(http: httpx.Client, origin: str) -> httpx.Headers:
    """The peer lets in every page; here a page on this machine is, or one that is named."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "Authorization",
    }
    response = http.options("/v1/completions", headers=headers)
    assert response.status_code == 200, response.text
    return response.headers


@pytest.mark.parametrize("origin", ["http://localhost", ORIGIN])
def test_cors_options_origin(guarded: httpx.Client, origin: str) -> None:
    assert preflight(guarded, origin)["access-control-allow-origin"] == origin


def test_cors_options_credentials(guarded: httpx.Client) -> None:
    """Here a key is a header, never a cookie: what counts is that the answer to one may be read."""
    headers = {"Origin": ORIGIN, "Authorization": f"Bearer {KEY}"}
    response = guarded.get("/v1/models", headers=headers)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN


def test_cors_options_methods(guarded: httpx.Client) -> None:
    allowed = preflight(guarded, ORIGIN)["access-control-allow-methods"].split(", ")
    assert {"GET", "POST"} <= {*allowed}


def test_cors_options_headers(guarded: httpx.Client) -> None:
    allowed = preflight(guarded, ORIGIN)["access-control-allow-headers"].lower()
    assert allowed == "*" or "authorization" in allowed
