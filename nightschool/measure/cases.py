"""Checks of answers, and the cases that `nightschool eval` reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nightschool.errors import BadRequest
from nightschool.types import Message

KINDS = ("exact", "contains", "regex", "json")


@dataclass(frozen=True)
class Check:
    """What makes an answer right. `value` is a text for the kind `exact`, a list of texts for `contains`, a
    pattern for `regex`, an object for `json`."""

    kind: str
    value: Any


@dataclass(frozen=True)
class Case:
    """A conversation to answer, and the check that its answer must pass. Accuracy is also told by `group`."""

    id: str
    messages: tuple[Message, ...]
    check: Check
    group: str | None = None


def parse_check(data: Any) -> Check:
    """A check from its JSON form {kind: value}. Raises BadRequest."""
    if not isinstance(data, Mapping) or len(data) != 1 or next(iter(data)) not in KINDS:
        raise BadRequest(f"check must have exactly one of {', '.join(KINDS)}", "check")
    kind, value = next(iter(data.items()))
    fits = {
        "exact": isinstance(value, str),
        "contains": isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value),
        "regex": isinstance(value, str),
        "json": isinstance(value, dict),
    }[kind]
    if not fits:
        raise BadRequest(f"check.{kind} has the wrong type", f"check.{kind}")
    if kind == "regex":
        try:
            re.compile(value)
        except re.error as e:
            raise BadRequest(f"check.regex does not compile: {e}", "check.regex") from e
    return Check(kind, value)


def passes(check: Check, answer: str) -> bool:
    """Whether an answer is right: `exact` compares all but the whitespace around it, `contains` wants every
    text, `regex` a match anywhere, and `json` these keys with these values in the answer's first object."""
    if check.kind == "exact":
        return answer.strip() == str(check.value).strip()
    if check.kind == "contains":
        return all(part in answer for part in check.value)
    if check.kind == "regex":
        return re.search(check.value, answer) is not None
    found = first_object(answer)
    return found is not None and _holds(check.value, found)


def first_object(text: str) -> dict[str, Any] | None:
    """The first JSON object in a text, or None."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", text):
        try:
            found, _ = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        return found if isinstance(found, dict) else None
    return None


def _holds(wanted: Any, found: Any) -> bool:
    """Whether `found` equals `wanted`, but for keys of objects that `wanted` does not have."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(k in found and _holds(v, found[k]) for k, v in wanted.items())
    return bool(wanted == found) and isinstance(wanted, bool) == isinstance(found, bool)


def read_cases(
    lines: Iterable[str | bytes], parse_messages: Callable[[Any], tuple[Message, ...]]
) -> list[Case]:
    """Cases from JSON lines; blank lines are skipped. Raises BadRequest, which names the first bad line."""
    out = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            out.append(_case(json.loads(line), parse_messages))
        except (ValueError, RecursionError, BadRequest) as e:
            reason = e if isinstance(e, BadRequest) else f"not valid JSON ({e})"
            raise BadRequest(f"line {number}: {reason}") from e
    if not out:
        raise BadRequest("there are no cases: one JSON object a line, with id, messages and check")
    return out


def _case(data: Any, parse_messages: Callable[[Any], tuple[Message, ...]]) -> Case:
    if not isinstance(data, dict):
        raise BadRequest("a case is a JSON object")
    unknown = data.keys() - {"id", "messages", "check", "group"}
    missing = {"id", "messages", "check"} - data.keys()
    if unknown or missing:
        raise BadRequest(f"unknown: {sorted(unknown)}, missing: {sorted(missing)}")
    group = data.get("group")
    return Case(
        str(data["id"]),
        parse_messages(data["messages"]),
        parse_check(data["check"]),
        None if group is None else str(group),
    )
