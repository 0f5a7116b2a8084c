"""An id for each request, by which a client's log and the server's can be put side by side."""

from __future__ import annotations

import re
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders

_SANE = re.compile(r"[!-~]{1,200}")  # visible ASCII: it goes back into a header


class RequestId:
    """ASGI middleware that answers with `X-Request-Id`: the client's own, or a new one. What comes after it
    finds it in the request's state."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own = Headers(scope=scope).get("x-request-id", "")
        request_id = own if _SANE.fullmatch(own) else f"req_{uuid.uuid4().hex}"

        scope.setdefault("state", {})["request_id"] = request_id

        async def tell(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers["x-request-id"] = headers["request-id"] = request_id  # OpenAI's name, and Anthropic's
            await send(message)

        await self._app(scope, receive, tell)
