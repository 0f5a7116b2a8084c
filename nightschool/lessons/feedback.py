"""What users thought of single answers, worked into the session that teaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nightschool.types import Message, Session, Signal

_HEARD = Message("assistant", "Understood.")


@dataclass(frozen=True)
class JudgedSession:
    """A session as its teacher sees it, and the turns of it (positions) that are no right answers."""

    session: Session
    rejected: frozenset[int] = frozenset()


def apply_feedback(session: Session, signals: Sequence[Signal] = ()) -> JudgedSession:
    """Edited answers become what the user made of them. A reason why an answer was rejected follows it as the
    user's next turn; the comment on a bad session ends it, and none of its answers counts as right. A session
    that nobody rated goes to the last answer that somebody did something with, and only what was accepted or
    edited counts as right."""
    newest = {s.position: s for s in signals if s.position is not None}
    whole = session.messages if session.rating else session.messages[: max(newest, default=-1) + 1]
    messages: list[Message] = []
    rejected: set[int] = set()
    for i, message in enumerate(whole):
        signal = newest.get(i)
        if signal and signal.kind == "edited":
            message = Message("assistant", signal.text or "")
        liked = signal.kind != "rejected" if signal else session.rating == "good"
        if message.role == "assistant" and (session.rating == "bad" or not liked):
            rejected.add(len(messages))
        messages.append(message)
        if signal and signal.kind == "rejected" and signal.comment:
            _object(messages, rejected, signal.comment)
    if session.rating == "bad" and session.comment:
        _object(messages, rejected, session.comment)
    return JudgedSession(replace(session, messages=tuple(messages)), frozenset(rejected))


def _object(messages: list[Message], rejected: set[int], comment: str) -> None:
    """The user says what was wrong; that the model takes note is no answer to anything."""
    messages.append(Message("user", f"That was not right: {comment}"))
    rejected.add(len(messages))
    messages.append(_HEARD)


def together(parts: Sequence[JudgedSession], name: str) -> JudgedSession:
    """Several short sessions that nobody rated as one."""
    messages = [m for m in parts[0].session.messages if m.role == "system"]
    rejected: set[int] = set()
    for part in parts:
        for i, message in enumerate(part.session.messages):
            if message.role == "system":
                continue
            if i in part.rejected:
                rejected.add(len(messages))
            messages.append(message)
    first = parts[0].session
    return JudgedSession(
        Session(name, tuple(messages), first.tools, first.user, "signals"), frozenset(rejected)
    )


def guards(session: Session, signals: Sequence[Signal] = ()) -> list[tuple[tuple[Message, ...], str]]:
    """(the conversation until then, an answer that nobody wants there): all of a bad session's answers, where
    nobody said what was wrong, and those that were rejected."""
    rejected = {s.position for s in signals if s.kind == "rejected"}
    bad = session.rating == "bad" and not session.comment
    return [
        (session.messages[:i], m.content)
        for i, m in enumerate(session.messages)
        if i and m.role == "assistant" and m.content and (bad or i in rejected)
    ]
