"""Errors in the shape that OpenAI's clients expect, and the limit on request bodies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from nightschool.errors import (
    BadRequest,
    DreamError,
    NightschoolError,
    NotFound,
    StoreError,
    VersionError,
)
from nightschool.serve.wire import anthropic_errors
from nightschool.serve.wire.fields import error_body, explain

log = logging.getLogger(__name__)
_STATUS: list[tuple[type[Exception], int, str]] = [
    (BadRequest, 400, "invalid_request_error"),
    (NotFound, 404, "invalid_request_error"),
    (DreamError, 409, "conflict_error"),
    (StoreError, 507, "storage_error"),
    (VersionError, 503, "version_error"),
    (NightschoolError, 500, "server_error"),
]


class _Error(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """OpenAI's error shape (`wire.fields.error_body`)."""

    error: _Error


# What any route may answer besides what it is for.
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "The request cannot be used as it is"},
    401: {"model": ErrorBody, "description": "The key is missing or wrong"},
    403: {"model": ErrorBody, "description": "A foreign host or web page"},
    404: {"model": ErrorBody, "description": "There is no such thing"},
    409: {"model": ErrorBody, "description": "Not now: a dream is running, or there is nothing to learn"},
    413: {"model": ErrorBody, "description": "The body is too large"},
    503: {"model": ErrorBody, "description": "The version that is asked for cannot answer"},
    507: {"model": ErrorBody, "description": "It cannot be recorded"},
}


# What a route answers that may stream.
STREAMED: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


def describe(error: Exception) -> tuple[int, dict[str, Any]]:
    """The HTTP status and JSON body for an error. An unexpected one is logged and not shown to the client."""
    for kind, status, name in _STATUS:
        if isinstance(error, kind):
            param, code = getattr(error, "param", None), getattr(error, "code", None)
            text = " ".join(str(error).splitlines())
            return status, error_body(text, name, param, code)
    log.error("unexpected error", exc_info=error)
    return 500, error_body("internal error: see the server's log", "server_error")


def respond(
    scope: MutableMapping[str, Any],
    status: int,
    body: dict[str, Any],
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error as the API tells it that a request speaks."""
    if scope["path"].startswith(anthropic_errors.PATH):
        body = anthropic_errors.error(status, body, scope["state"]["request_id"])
    return JSONResponse(body, status, headers)


def install(app: FastAPI) -> None:
    """Register handlers for all errors that a route can raise."""

    async def known(request: Request, error: Exception) -> JSONResponse:
        return respond(request.scope, *describe(error))

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            body = error_body("the body is not valid JSON", "invalid_request_error")
            return respond(request.scope, 400, body)
        details = [{**e, "loc": e["loc"][1:]} for e in error.errors()]
        return respond(request.scope, *describe(explain(details)))

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        text, headers = str(error.detail), dict(error.headers or {})
        if error.status_code in (404, 405):
            text, headers = _no_such_route(app, request)
        body = error_body(text, "invalid_request_error")
        return respond(request.scope, error.status_code, body, headers)

    document = app.openapi

    def documented() -> dict[str, Any]:
        """FastAPI's document without its status of requests that cannot be used, which is 400 here."""
        schema = document()
        for operation in (o for path in schema["paths"].values() for o in path.values()):
            operation["responses"].pop("422", None)
        return schema

    app.openapi = documented  # type: ignore[method-assign]
    app.add_exception_handler(NightschoolError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ValidationError, known)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, known)


def _no_such_route(app: FastAPI, request: Request) -> tuple[str, dict[str, str]]:
    """What is wrong with a request for a path or method that there is not, and headers that say it."""
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    method, path = request.method, request.url.path
    here = sorted({m for route in routes if route.path_regex.match(path) for m in route.methods or ()})
    if here:
        return f"{path} is not for {method}, but for {', '.join(here)}", {"Allow": ", ".join(here)}
    known = dict.fromkeys(route.path for route in routes if "{" not in route.path and route.path != "/")
    return f"there is no {path} here, but {', '.join(known)}", {}


Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LINGER = 5.0  # seconds; a refused body is read and dropped for so long, as a slow client must finish sending


class BodyLimit:
    """ASGI middleware that answers 413 to a body over `limit` bytes, without holding it in memory."""

    def __init__(self, app: Any, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._limit:
            await self._refuse(scope, receive, send, more=True)
            return
        # Buffer the body, so that one of unknown length is refused before the application sees any of it.
        messages: list[dict[str, Any]] = []
        size, more = 0, True
        while more:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            more = _more(message)
            if size > self._limit:
                await self._refuse(scope, receive, send, more=more)
                return
        messages.reverse()

        async def replay() -> dict[str, Any]:
            return messages.pop() if messages else await receive()

        await self._app(scope, replay, send)

    async def _refuse(self, scope: dict[str, Any], receive: Receive, send: Send, *, more: bool) -> None:
        # A client reads the answer only after it has sent its body; closing earlier would reset it.
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while more:
                    more = _more(await receive())
        text = f"the body is larger than {self._limit} bytes (--serve.max_body_bytes)"
        body = error_body(text, "invalid_request_error", code="body_too_large")
        await respond(scope, 413, body, {"connection": "close"})(scope, receive, send)


def _more(message: dict[str, Any]) -> bool:
    return message["type"] == "http.request" and bool(message.get("more_body", False))
