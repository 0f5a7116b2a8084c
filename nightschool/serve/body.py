"""Request bodies as JSON that can be worked with, whatever a client sends."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from nightschool.errors import BadRequest


class Route(APIRoute):
    """A route whose handler gets a body in which every text can be stored and sent."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def mending(request: Request) -> Response:
            return await handle(_Mending(request.scope, request.receive))

        return mending


class _Mending(Request):
    async def json(self) -> Any:
        """The body. Raises BadRequest if it is nested so deep that it cannot be read."""
        try:
            return whole(await super().json())
        except RecursionError as e:
            raise BadRequest("the body is nested too deep") from e


def whole(data: Any) -> Any:
    """JSON without halves of characters: a client that cuts a text may cut an emoji, and no database takes
    that. Each half becomes the replacement character."""
    if isinstance(data, str):
        return (
            data
            if data.isascii()
            else data.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        )
    if isinstance(data, list):
        return [whole(item) for item in data]
    if isinstance(data, dict):
        return {whole(key): whole(value) for key, value in data.items()}
    return data
