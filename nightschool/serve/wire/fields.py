"""What all wire formats share: strict fields, errors, events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from nightschool.errors import BadRequest


class Strict(BaseModel):
    """A field that is not supported is refused, never ignored."""

    model_config = ConfigDict(extra="forbid")


class Body(Strict):
    """A request. A field with null is as if it were not there."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        return {k: v for k, v in data.items() if v is not None} if isinstance(data, dict) else data


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
    if first["type"].startswith("union_tag"):
        key = first["ctx"]["discriminator"].strip("'")
        if not key.endswith("()"):  # a field, not a function of ours
            path = f"{path}.{key}"
        if "tag" not in first["ctx"]:
            return BadRequest(f"{path} is missing", path, "invalid_value")
        text = f"{path}: {first['ctx']['tag']!r} is not supported, only {first['ctx']['expected_tags']}"
        return BadRequest(text, path, "unsupported_value")
    if first["type"] == "literal_error" and given is not None:
        text = f"{path}: {given!r} is not supported, only {first['ctx']['expected']}"
        return BadRequest(text, path, "unsupported_value")
    return BadRequest(f"{path}: {first['msg']}", path, "invalid_value")


# What the members of a list are told apart by; Pydantic names it behind the member's number.
_TAGS = {"system", "developer", "user", "assistant", "tool"}
_TAGS |= {"text", "input_text", "output_text", "refusal"}
_TAGS |= {"message", "function_call", "function_call_output", "reasoning", "item_reference"}
_TAGS |= {"tool_use", "tool_result", "tool_reference", "thinking", "redacted_thinking", "custom", "other"}
_TAGS |= {"tokens"}


def _fields(loc: Sequence[int | str]) -> Iterator[str]:
    """The place of an error as the client sees it: without what a union calls its members."""
    last: int | str = ""
    for part in loc:
        if not (isinstance(last, int) and part in _TAGS):
            yield str(part)
        last = part


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """OpenAI's error shape."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def event(data: dict[str, Any] | str) -> str:
    """One server-sent event. It has a name where its data has a type: the same one."""
    if isinstance(data, str):
        return f"data: {data}\n\n"
    name = f"event: {data['type']}\n" if "type" in data else ""
    return f"{name}data: {json.dumps(data, ensure_ascii=False)}\n\n"
