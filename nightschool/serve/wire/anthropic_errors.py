"""Errors as Anthropic's API tells them. Pure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

PATH = "/v1/messages"  # and what is below it
_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
}


class _Error(BaseModel):
    type: str
    message: str


class AnthropicErrorBody(BaseModel):
    """Anthropic's error shape (`error`)."""

    type: Literal["error"]
    error: _Error
    request_id: str | None


# As `serve.errors.DOCUMENTED`.
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"model": AnthropicErrorBody} for status in (400, 401, 403, 404, 409, 413, 503, 507)
}


def error(status: int, body: dict[str, Any], request_id: str | None = None) -> dict[str, Any]:
    """An error of ours, which is in OpenAI's shape, in Anthropic's."""
    message = body["error"]["message"]
    if body["error"]["code"] == "context_length_exceeded":
        message = f"prompt is too long: {message}"  # by these words clients know that a shorter one would do
    kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}
