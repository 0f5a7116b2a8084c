"""Every error in OpenAI's shape, and a body that is too large is refused before it is whole."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from nightschool.errors import (
    BadRequest,
    ConfigError,
    ContextTooLong,
    DreamError,
    ModelNotFound,
    NotFound,
    NothingToLearn,
    StoreError,
    VersionError,
)
from nightschool.serve import errors
from nightschool.serve.errors import BodyLimit, describe
from tests.serve.conftest import Server


@pytest.mark.parametrize(
    ("error", "status", "kind", "param", "code"),
    [
        (BadRequest("x", "n", "c"), 400, "invalid_request_error", "n", "c"),
        (ContextTooLong("x", "messages"), 400, "invalid_request_error", "messages", None),
        (NotFound("x"), 404, "invalid_request_error", None, None),
        (ModelNotFound("x"), 404, "invalid_request_error", None, "model_not_found"),
        (DreamError("x"), 409, "conflict_error", None, None),
        (NothingToLearn("x"), 409, "conflict_error", None, None),
        (StoreError("x"), 507, "storage_error", None, None),
        (VersionError("x"), 503, "version_error", None, None),
        (ConfigError("x"), 500, "server_error", None, None),
    ],
)
def test_every_error_has_its_status(
    error: Exception, status: int, kind: str, param: str | None, code: str | None
) -> None:
    assert describe(error) == (
        status,
        {"error": {"message": "x", "type": kind, "param": param, "code": code}},
    )


def test_a_message_is_one_line() -> None:
    assert describe(StoreError("a\nb\r\nc"))[1]["error"]["message"] == "a b c"


def test_an_unexpected_error_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    status, body = describe(KeyError("secret"))
    assert status == 500
    assert "secret" not in json.dumps(body)
    assert "secret" in caplog.text


class Client:
    """Sends a body in pieces; with `silent`, sends nothing after them, though more was announced."""

    def __init__(self, *pieces: bytes, silent: bool = False) -> None:
        self._pieces, self._silent = list(pieces), silent
        self.answered: list[MutableMapping[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        if not self._pieces:
            await asyncio.Event().wait()
        body = self._pieces.pop(0)
        return {"type": "http.request", "body": body, "more_body": self._silent or bool(self._pieces)}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.answered.append(message)


def sent(client: Client, limit: int, headers: dict[bytes, bytes] | None = None) -> list[bytes]:
    """The bodies that reach the application behind the limit."""
    reached: list[bytes] = []

    async def app(scope: dict[str, Any], receive: errors.Receive, send: errors.Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        reached.append(body)

    scope = {"type": "http", "path": "/", "headers": list((headers or {}).items())}
    asyncio.run(BodyLimit(app, limit)(scope, client.receive, client.send))
    return reached


def test_a_body_within_the_limit_arrives_as_it_was_sent() -> None:
    client = Client(b"ab", b"", b"cd")
    assert sent(client, 4) == [b"abcd"]
    assert client.answered == []


@pytest.mark.parametrize("headers", [{}, {b"content-length": b"5"}, {b"content-length": b"-1"}])
def test_a_body_over_the_limit_never_arrives(headers: dict[bytes, bytes]) -> None:
    client = Client(b"abc", b"de")
    assert sent(client, 4, headers) == []
    assert client.answered[0]["status"] == 413
    assert json.loads(client.answered[1]["body"])["error"]["code"] == "body_too_large"


def test_a_client_that_stops_sending_is_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "LINGER", 0.0)
    client = Client(b"abcde", silent=True)
    assert sent(client, 4) == []
    assert client.answered[0]["status"] == 413


@pytest.mark.parametrize(
    ("method", "path", "status", "says", "allow"),
    [
        ("POST", "/v1/embeddings", 404, "/v1/chat/completions", None),
        ("GET", "/v1/chat/completions", 405, "POST", "POST"),
        ("POST", "/v1/dreams/d_1", 405, "GET", "GET"),
        ("PATCH", "/v1/dreams", 405, "GET, POST", "GET, POST"),
    ],
)
def test_an_unknown_path_or_method_says_what_there_is(
    server: Server, method: str, path: str, status: int, says: str, allow: str | None
) -> None:
    refused = server.http.request(method, path)
    assert (refused.status_code, refused.headers.get("allow")) == (status, allow)
    message = refused.json()["error"]["message"]
    assert path in message
    assert says in message


def test_what_can_be_got_can_be_asked_about(server: Server) -> None:
    head = server.http.head("/v1/models")
    assert (head.status_code, head.content) == (200, b"")
