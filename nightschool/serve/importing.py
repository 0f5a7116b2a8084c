"""`nightschool import`: sessions from JSON lines. A bad line is reported, the good ones are imported."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nightschool.errors import BadRequest
from nightschool.serve import commands
from nightschool.serve.wire.turns import parse_messages, parse_tools
from nightschool.store import Store
from nightschool.types import Feedback

_KEYS = {"id", "user", "messages", "tools", "feedback"}


@dataclass
class ImportReport:
    """Counts of sessions that were new and already there, and (line number, reason) of each bad line."""

    new: int = 0
    unchanged: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)


def import_jsonl(store: Store, lines: Iterable[bytes]) -> ImportReport:
    """Import one session per line; importing it again changes nothing. Raises StoreError."""
    report = ImportReport()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            new = _one(store, line)
        except BadRequest as e:
            report.bad.append((number, str(e)))
            continue
        report.new += new
        report.unchanged += not new
    return report


def _one(store: Store, line: bytes) -> bool:
    try:
        data = json.loads(line.decode())
    except ValueError as e:  # broken JSON, or not UTF-8
        raise BadRequest(f"not valid JSON: {e}") from e
    if not isinstance(data, dict):
        raise BadRequest("a session is a JSON object")
    if unknown := data.keys() - _KEYS:
        raise BadRequest(f"unknown: {', '.join(sorted(unknown))}")
    messages, _ = commands.split(parse_messages(data.get("messages")))
    if not any(m.role == "assistant" for m in messages):
        raise BadRequest("messages hold no answer of an assistant: there is nothing to learn", "messages")
    session_id, new = store.sessions.add(
        _text(data, "id"),
        user=_text(data, "user"),
        messages=messages,
        tools=parse_tools(data.get("tools")),
    )
    rated = _feedback(data.get("feedback"), session_id)
    return (store.feedback.rate(rated) if rated else False) or new


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
