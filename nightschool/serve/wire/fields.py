"""What all wire formats share: strict fields, errors, events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from nightschool.errors import BadRequest


class Strict(BaseModel):
    """A field that is not supported is refused, never ignored."""

    model_config = ConfigDict(extra="forbid")


def explain(errors: Sequence[Mapping[str, Any]], root: str = "") -> BadRequest:
    """The first of Pydantic's errors (`ValidationError.errors`) in one line; `root` is where they are."""
    first = errors[0]
    path = ".".join(str(part) for part in (root, *first["loc"]) if part != "")
    if first["type"] == "extra_forbidden":
        return BadRequest(f"{path} is not supported", path, "unsupported_parameter")
    if first["type"] == "union_tag_invalid":
        tag, expected = first["ctx"]["tag"], first["ctx"]["expected_tags"]
        return BadRequest(f"{path}: {tag!r} is not supported, only {expected}", path, "unsupported_value")
    if first["type"] == "literal_error" and path in (
        "n",
        "logprobs",
        "frequency_penalty",
        "presence_penalty",
    ):
        return BadRequest(f"{path}: only {first['ctx']['expected']} is supported", path, "unsupported_value")
    return BadRequest(f"{path}: {first['msg']}", path, "invalid_value")


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """OpenAI's error shape."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def event(data: dict[str, Any] | str) -> str:
    """One server-sent event. It has a name where its data has a type: the same one."""
    if isinstance(data, str):
        return f"data: {data}\n\n"
    name = f"event: {data['type']}\n" if "type" in data else ""
    return f"{name}data: {json.dumps(data, ensure_ascii=False)}\n\n"
