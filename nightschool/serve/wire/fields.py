"""What all wire formats share: strict fields, errors, events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from nightschool.errors import BadRequest


class Strict(BaseModel):
    """A field that is not supported is refused, never ignored."""

    model_config = ConfigDict(extra="forbid")


class Lenient(BaseModel):
    """A field that is not known is left out: it says nothing to a model."""

    model_config = ConfigDict(extra="ignore")


def explain(errors: Sequence[Mapping[str, Any]], root: str = "") -> BadRequest:
    """The first of Pydantic's errors (`ValidationError.errors`) in one line; `root` is where they are."""
    first = errors[0]
    path = ".".join(filter(None, [root, *_fields(first["loc"])]))
    given = first.get("input")
    if first["type"] == "extra_forbidden":
        return BadRequest(f"{path} is not supported", path, "unsupported_parameter")
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        key = str(first["ctx"]["discriminator"]).strip("'")
        known, what = first["ctx"].get("expected_tags"), given.get(key) if isinstance(given, dict) else None
        text = f"{path}.{key} {what!r} is not supported" if what else f"{path} has no {key}"
        return BadRequest(
            f"{text}: only {known} can be read" if known else text, f"{path}.{key}", "invalid_value"
        )
    if first["type"] == "literal_error" and given is not None:
        text = f"{path}: {given!r} is not supported, only {first['ctx']['expected']}"
        return BadRequest(text, path, "unsupported_value")
    return BadRequest(f"{path}: {first['msg']}", path, "invalid_value")


# What the members of a list are told apart by; Pydantic names it behind the member's number.
_TAGS = {"system", "developer", "user", "assistant", "tool", "text", "input_text", "output_text", "refusal"}


def _fields(loc: Sequence[int | str]) -> Iterator[str]:
    """The place of an error as the client sees it: without what a union calls its members."""
    last: int | str = ""
    for part in loc:
        if not (isinstance(last, int) and part in _TAGS) and not str(part).startswith("("):
            yield str(part)
        last = part


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """OpenAI's error shape."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def event(data: dict[str, Any] | str) -> str:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"data: {text}\n\n"
