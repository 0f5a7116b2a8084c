"""Works what users said about a session and its answers into the session that teaches. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nightschool.types import Message, Session, Signal

_NOTED = Message("assistant", "Understood.")


@dataclass(frozen=True)
class JudgedSession:
    """A session as its teacher sees it: positions of answers that do not count as right, and of user turns
    that were put in to say why."""

    session: Session
    rejected: frozenset[int] = frozenset()
    comments: frozenset[int] = frozenset()
    of: tuple[str, ...] = ()  # ids of the sessions that were joined, if it is not one alone

    @property
    def ids(self) -> tuple[str, ...]:
        """The recorded sessions that this is made of."""
        return self.of or (self.session.id,)


def apply_feedback(session: Session, signals: Sequence[Signal] = ()) -> JudgedSession:
    """Returns the session with its feedback applied:

    - An edited answer is replaced by what the user made of it.
    - An imported answer of weight 0 does not count as right.
    - The reason why an answer was rejected follows it as the user's next turn.
    - In a bad session no answer counts as right, and its comment is the last thing the user says.
    - A session without a rating ends at the last answer that has a signal, and only accepted and edited
      answers count as right.
    """
    newest = {s.position: s for s in signals if s.position is not None}
    whole = session.messages if session.rating else session.messages[: max(newest, default=-1) + 1]
    messages: list[Message] = []
    rejected, comments = set[int](), set[int]()
    for i, message in enumerate(whole):
        signal = newest.get(i)
        if signal and signal.kind == "edited":
            message = Message("assistant", signal.text or "")
        liked = signal.kind != "rejected" if signal else session.rating == "good"
        learned = liked and message.weight != 0
        if message.role == "assistant" and (session.rating == "bad" or not learned):
            rejected.add(len(messages))
        messages.append(message)
        if signal and signal.kind == "rejected" and signal.comment:
            comments.add(_object(messages, rejected, signal.comment))
    if session.rating == "bad" and session.comment:
        comments.add(_object(messages, rejected, session.comment))
    return JudgedSession(replace(session, messages=tuple(messages)), frozenset(rejected), frozenset(comments))


def _object(messages: list[Message], rejected: set[int], comment: str) -> int:
    """Let the user say what was wrong, and return that turn's position. The model's reply only takes note,
    so it does not count as right."""
    messages.append(Message("user", f"That was not right: {comment}"))
    rejected.add(len(messages))
    messages.append(_NOTED)
    return len(messages) - 2


def together(parts: Sequence[JudgedSession], name: str) -> JudgedSession:
    """Several sessions without a rating, joined into one. They have the same system turns and tools."""
    messages = [m for m in parts[0].session.messages if m.role == "system"]
    rejected, comments = set[int](), set[int]()
    for part in parts:
        for i, message in enumerate(part.session.messages):
            if message.role == "system":
                continue
            if i in part.rejected:
                rejected.add(len(messages))
            if i in part.comments:
                comments.add(len(messages))
            messages.append(message)
    first = parts[0].session
    return JudgedSession(
        Session(name, tuple(messages), first.tools, first.user, "signals"),
        frozenset(rejected),
        frozenset(comments),
        tuple(part.session.id for part in parts),
    )


def unwanted_answers(
    session: Session, signals: Sequence[Signal] = ()
) -> list[tuple[tuple[Message, ...], str]]:
    """The answers that no version may give again, each as (the conversation up to it, the answer).

    They are all answers of a bad session without a comment, and the rejected answers of any session.
    """
    rejected = {s.position for s in signals if s.kind == "rejected"}
    bad = session.rating == "bad" and not session.comment
    return [
        (session.messages[:i], m.content)
        for i, m in enumerate(session.messages)
        if i and m.role == "assistant" and m.content and (bad or i in rejected)
    ]
