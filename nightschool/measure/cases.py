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
    """One of `KINDS` with what it needs: a text, a list of texts, a pattern, an object."""

    kind: str
    value: Any


@dataclass(frozen=True)
class Case:
    """A conversation to answer, and what the answer must be."""

    id: str
    messages: tuple[Message, ...]
    check: Check
    group: str | None = None


def parse_check(data: Any) -> Check:
    """From its JSON form. Raises BadRequest."""
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
    """Whether an answer is right. `exact` ignores whitespace around it; `json` asks that the first object in
    the answer has these keys with these values."""
    if check.kind == "exact":
        return answer.strip() == str(check.value).strip()
    if check.kind == "contains":
        return all(part in answer for part in check.value)
    if check.kind == "regex":
        return re.search(check.value, answer) is not None
    found = first_object(answer)
    return found is not None and _holds(check.value, found)


def first_object(text: str) -> dict[str, Any] | None:
    """The first JSON object in a text."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", text):
        try:
            found, _ = decoder.raw_decode(text, match.start())
        except ValueError:
            continue
        return found if isinstance(found, dict) else None
    return None


def _holds(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(k in found and _holds(v, found[k]) for k, v in wanted.items())
    return bool(wanted == found) and isinstance(wanted, bool) == isinstance(found, bool)


def read_cases(
    lines: Iterable[str | bytes], parse_messages: Callable[[Any], tuple[Message, ...]]
) -> list[Case]:
    """Cases from JSON lines. Raises BadRequest, naming the line, for the first one that is wrong."""
    out = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            out.append(_case(json.loads(line), parse_messages))
        except (ValueError, BadRequest) as e:
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
