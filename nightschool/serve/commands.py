"""Slash commands: a user message that is one, in any chat client, is for the server, not for the model."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nightschool.errors import NightschoolError
from nightschool.store import Store
from nightschool.types import Feedback, Message

_COMMAND = re.compile(r"/(good|undo|dream|bad)(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A slash command. `name` is good, bad, undo or dream; only bad takes a comment."""

    name: str
    comment: str | None = None


def parse(message: Message) -> Command | None:
    """The command that a message consists of, or None."""
    match = _COMMAND.fullmatch(message.content.strip()) if message.role == "user" else None
    if not match or (match[2] and match[1] != "bad"):
        return None
    return Command(match[1], match[2])


def split(messages: Sequence[Message]) -> tuple[list[Message], Command | None]:
    """The conversation without commands and their answers, and the command in the last message, if any."""
    kept: list[Message] = []
    answers_command = False
    command = None
    for message in messages:
        command = parse(message)
        if command:
            answers_command = True
        elif answers_command and message.role == "assistant":
            answers_command = False
        else:
            answers_command = False
            kept.append(message)
    return kept, command


def execute(command: Command, store: Store, session_id: str | None, dream: Callable[[], str]) -> str:
    """Do what a command says. Returns the sentence that the user reads, also where it failed."""
    if command.name == "dream":
        return _dream(dream)
    if session_id is None:
        return "There is no recorded session here yet: say something to the model first."
    try:
        if command.name == "undo":
            retracted = store.feedback.retract_rating(session_id)
            return f"Took back: {retracted.rating}." if retracted else "There was no rating to take back."
        rating = Feedback(
            f"fb_{uuid.uuid4().hex[:16]}",
            session_id,
            "good" if command.name == "good" else "bad",
            command.comment,
        )
        store.feedback.rate(rating)
    except NightschoolError as e:
        return f"That did not work: {e}."
    if rating.rating == "good":
        return f"Thank you. Session {session_id} will be learned in the next dream (/dream starts one)."
    if rating.comment:
        return f"Noted. The next dream will learn what was wrong with session {session_id}."
    return (
        f"Noted. No dream may bring back the answers of session {session_id}. (/bad WHY says what was wrong.)"
    )


def _dream(dream: Callable[[], str]) -> str:
    try:
        return f"Good night: dream {dream()} has begun. I keep answering; new weights go live by themselves."
    except NightschoolError as e:
        return f"No dream was started: {e}."
