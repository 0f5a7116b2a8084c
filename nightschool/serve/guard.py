"""What no web page, and nobody without the key, may do with the server.

A browser on this machine runs pages of strangers. They may point their own name at this address (DNS
rebinding), so a foreign `Host` is refused; they may send requests whose answers they cannot read but that
change something, so a foreign `Origin` is refused, too.
"""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from nightschool.config import ServeConfig
from nightschool.errors import NightschoolError
from nightschool.serve.errors import respond
from nightschool.serve.wire.fields import error_body

# A page on this machine itself, whatever its port.
_LOCAL_PAGE = r"https?://(localhost|[\w-]+\.localhost|127(\.\d+){3}|\[::1\])(:\d+)?"
_TOLD = ["X-Session-Id", "X-Nightschool-Version", "X-Request-Id"]  # headers that a page may read
_OPEN = {"/health", "/"}  # need no key: they say only that the server runs, and how to reach it


def install(app: FastAPI, config: ServeConfig) -> None:
    """Guard an application. What is added last sees a request first."""
    app.add_middleware(Key, key=config.api_key.get_secret_value())
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(config.allowed_origins),
        allow_origin_regex=_LOCAL_PAGE,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=_TOLD,
    )
    app.add_middleware(Guard, config=config)


def check_binding(config: ServeConfig) -> None:
    """Raises NightschoolError where others could reach a server that asks for no key."""
    if not (config.api_key.get_secret_value() or is_local(config.host)):
        raise NightschoolError(
            f"serve.host {config.host} can be reached from other machines: set a key that clients must send "
            "(NIGHTSCHOOL_SERVE__API_KEY), or leave out serve.host"
        )


def is_local(name: str) -> bool:
    """Whether a host's name or address is this machine's own, whoever resolves it."""
    name = name.strip("[]").rstrip(".").lower()
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


class Guard:
    """ASGI middleware that answers 403 to a foreign `Host` or `Origin`."""

    def __init__(self, app: Any, config: ServeConfig) -> None:
        self._app, self._host = app, config.host
        self._hosts = {name.lower() for name in (config.host, *config.allowed_hosts)}
        self._origins = {origin.rstrip("/").lower() for origin in config.allowed_origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if refusal := self._refusal(scope["method"], headers):
            await respond(scope, 403, error_body(refusal, "permission_error"))(scope, receive, send)
            return
        await self._app(_as_json(scope, headers), receive, send)

    def _refusal(self, method: str, headers: Headers) -> str | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._serves(host):
            return f"no requests for the host {host!r} are answered here: serve.allowed_hosts lists others"
        if origin is not None and not self._allows(origin, host):
            return f"pages of {origin!r} may not use this server: serve.allowed_origins lists others"
        # Some requests of a page carry no origin. Those that only read tell it nothing.
        if origin is None and method not in ("GET", "HEAD") and headers.get("sec-fetch-site") == "cross-site":
            return "a page of another site may not use this server"
        return None

    def _serves(self, host: str) -> bool:
        if not host:  # no browser leaves it out
            return True
        name = _name_of(f"//{host}")
        if is_local(name) or name in self._hosts:
            return True
        # Nobody can point somebody else's address here, and a server that listens on all has several.
        return self._host in ("0.0.0.0", "::") and _is_address(name)

    def _allows(self, origin: str, host: str) -> bool:
        if "*" in self._origins or origin.lower() in self._origins:
            return True
        scheme, _, rest = origin.lower().partition("://")
        return scheme in ("http", "https") and (rest == host.lower() or is_local(_name_of(f"//{rest}")))


class Key:
    """ASGI middleware that answers 401 where a key is wanted and not sent."""

    def __init__(self, app: Any, key: str) -> None:
        self._app, self._key = app, key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._key or scope["path"] in _OPEN or self._has_key(scope):
            await self._app(scope, receive, send)
            return
        text = "the key is missing or wrong: send it as Authorization: Bearer KEY"
        body = error_body(text, "authentication_error", code="invalid_api_key")
        await respond(scope, 401, body, {"WWW-Authenticate": "Bearer"})(scope, receive, send)

    def _has_key(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        sent = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        return hmac.compare_digest(sent.encode(), self._key)


def _as_json(scope: Scope, headers: Headers) -> Scope:
    """A request whose body is taken for JSON whatever its header says, as `curl -d` says it is a form. Not
    from a page: what is no JSON by its header a browser sends without asking the server first."""
    scope = dict(scope)
    if headers.get("origin") is None and scope["method"] != "GET":
        scope["headers"] = list(scope["headers"])
        MutableHeaders(scope=scope)["content-type"] = "application/json"
    if scope["method"] == "HEAD":  # as GET; the body is left out where it is sent
        scope["method"] = "GET"
    return scope


def _name_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # an address in brackets that is none
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
