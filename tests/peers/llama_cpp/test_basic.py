"""After llama.cpp's tools/server/tests/unit/test_basic.py, test_embedding.py and test_log_injection.py."""

from __future__ import annotations

import httpx
import pytest

from tests.peers.wire import post


def test_server_models(http: httpx.Client) -> None:
    response = http.get("/v1/models")
    assert response.status_code == 200
    assert response.json()["data"][0]["id"] == "live"


def test_no_webui(http: httpx.Client) -> None:
    """A browser that opens the server's address sees a page."""
    response = http.get("/")
    assert response.status_code == 200
    assert "<!doctype html>" in response.text


@pytest.mark.xfail(strict=True, reason="there are no embeddings here: another server makes better ones")
def test_embedding_single(http: httpx.Client) -> None:
    body = post(http, "/v1/embeddings", input="I believe the meaning of life is")
    assert len(body["data"][0]["embedding"]) > 1


def test_log_lines_cannot_be_forged(http: httpx.Client) -> None:
    """What a client names goes into errors, and into logs, as one line."""
    response = http.get("/v1/sessions/%0D%0AFORGED")
    assert response.status_code == 404
    assert len(response.json()["error"]["message"].splitlines()) == 1
    assert "FORGED" not in response.headers
