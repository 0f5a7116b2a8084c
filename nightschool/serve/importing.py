"""`nightschool import`: sessions from JSON lines or a JSON array, in the forms that `serve.foreign` knows.

A bad session is reported, the good ones are imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from nightschool.errors import BadRequest
from nightschool.serve import commands, session_ids
from nightschool.serve.body import whole
from nightschool.serve.foreign import in_openais_form
from nightschool.serve.wire import parse_messages, parse_tools
from nightschool.store import Store
from nightschool.types import Feedback, Message

_KEYS = {"id", "user", "messages", "tools", "feedback"}
_MARK = b"\xef\xbb\xbf"  # of UTF-8, with which some programs begin a file


@dataclass
class ImportReport:
    """Counts of sessions that were new and already there, and (number, reason) of each bad one. Numbers are
    those of lines or, if the file is a JSON array, of its elements."""

    new: int = 0
    unchanged: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)


def import_sessions(store: Store, lines: Iterable[bytes]) -> ImportReport:
    """Import the sessions in a file's lines; importing one again changes nothing. Raises StoreError."""
    report = ImportReport()
    for number, entry in enumerate(_entries(iter(lines)), 1):
        if isinstance(entry, bytes) and not entry.strip():
            continue
        try:
            new = _one(store, _read(entry) if isinstance(entry, bytes) else entry)
        except BadRequest as e:
            report.bad.append((number, str(e)))
        except RecursionError:
            report.bad.append((number, "nested too deeply"))
        else:
            report.new += new
            report.unchanged += not new
    return report


def _entries(lines: Iterable[bytes]) -> Iterable[Any]:
    """The elements of a JSON array, or lines."""
    first = next(iter(lines), b"").removeprefix(_MARK)
    if not first.lstrip().startswith(b"["):
        return chain([first], lines)
    rows = [first, *lines]
    try:
        array = _read(b"\n".join(rows))
    except (BadRequest, RecursionError):
        return rows
    return array if isinstance(array, list) else rows


def _read(text: bytes) -> Any:
    """JSON, with halves of characters replaced."""
    try:
        return whole(json.loads(text.decode()))
    except ValueError as e:  # broken JSON, or not UTF-8
        raise BadRequest(f"not valid JSON: {e}") from e


def _one(store: Store, data: Any) -> bool:
    if not isinstance(data, dict):
        raise BadRequest("a session is a JSON object")
    data = in_openais_form(data)
    if unknown := data.keys() - _KEYS:
        raise BadRequest(f"unknown: {', '.join(sorted(unknown))}")
    messages, _ = commands.split(_weighted(data.get("messages")))
    if not any(m.role == "assistant" for m in messages):
        raise BadRequest("messages hold no answer of an assistant: there is nothing to learn", "messages")
    session_id = _text(data, "id")
    session_id, new = store.sessions.add(
        session_id and session_ids.checked(session_id, "id"),
        user=_text(data, "user"),
        messages=messages,
        tools=parse_tools(data.get("tools")),
    )
    rated = _feedback(data.get("feedback"), session_id)
    return (store.feedback.rate(rated) if rated else False) or new


def _weighted(data: Any) -> Sequence[Message]:
    """The messages; an answer that has weight 0 keeps it."""
    rows = [dict(row) if isinstance(row, dict) else row for row in data] if isinstance(data, list) else []
    weights = [row.pop("weight", None) if isinstance(row, dict) else None for row in rows]
    for i, weight in enumerate(weights):
        if weight not in (None, 0, 1):
            raise BadRequest(f"messages.{i}.weight must be 0 or 1", f"messages.{i}.weight")
    messages = parse_messages(rows if isinstance(data, list) else data)
    return [
        replace(message, weight=0) if message.role == "assistant" and weight == 0 else message
        for message, weight in zip(messages, weights, strict=True)
    ]


def _text(data: dict[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise BadRequest(f"{key} must be a text that is not empty", key)
    return value


def _feedback(data: Any, session_id: str) -> Feedback | None:
    """The line's rating, if any. Its id depends on the session, so importing it again changes nothing."""
    if data is None:
        return None
    if (
        not isinstance(data, dict)
        or data.get("rating") not in ("good", "bad")
        or data.keys() - {"rating", "comment"}
    ):
        raise BadRequest('feedback must be {"rating": "good" | "bad", "comment"?}', "feedback")
    return Feedback(f"fb_import_{session_id}", session_id, data["rating"], _text(data, "comment"))
