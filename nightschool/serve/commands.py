"""Commands: a user message that is one, in any chat client, is for the server, not for the model.

    /good    /Good!    /good thanks for the format    /bad too long    /undo    /dream
    good:    good: thanks for the format    bad: too long

The second form (`undo:` and `dream:`, too) is for clients that keep what begins with a slash for themselves.
It takes one line, and is talk where that rates two things ("good: 3, bad: 4"). What stands behind a blank
line is no part of a command: some clients add a paragraph to whatever is typed.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nightschool.errors import NightschoolError
from nightschool.store import Store
from nightschool.types import Feedback, Message

_BLANK_LINE = re.compile(r"\n\s*\n")
_SLASH = re.compile(r"/(good|bad|undo|dream)[^\w\s/]{0,3}(?:\s+(.*))?", re.DOTALL | re.IGNORECASE)
_COLON = re.compile(r"(good|bad|(?:undo|dream)(?=:\Z)):(?:\s+((?:(?!\b(?:good|bad):).)*))?", re.IGNORECASE)


@dataclass(frozen=True)
class Command:
    """A command. `name` is good, bad, undo or dream; only good and bad take a comment."""

    name: str
    comment: str | None = None


def parse(message: Message) -> Command | None:
    """The command that a message consists of, or None."""
    if message.role != "user":
        return None
    first, *added = _BLANK_LINE.split(message.content.strip(), maxsplit=1)
    match = _SLASH.fullmatch(first)
    if not match and not any("\n" in text for text in added):
        match = _COLON.fullmatch(first)
    if not match:
        return None
    name = match[1].lower()
    return Command(name, match[2] if name in ("good", "bad") else None)


def split(messages: Sequence[Message]) -> tuple[list[Message], Command | None]:
    """The conversation without commands and their answers, and the command in the last message, if any.

    System turns do not count: some clients put one behind what the user says.
    """
    kept: list[Message] = []
    answers_command = False
    command = None
    for message in messages:
        if message.role == "system":
            kept.append(message)
            continue
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
    noted = f"Noted: {rating.comment!r}." if rating.comment else "Noted."
    if rating.rating == "good":
        thanks = f"{noted} Thank you." if rating.comment else "Thank you."
        return f"{thanks} Session {session_id} will be learned in the next dream (/dream starts one)."
    if rating.comment:
        return f"{noted} The next dream will learn what was wrong with session {session_id}."
    why = "(/bad WHY says what was wrong.)"
    return f"{noted} No dream may bring back the answers of session {session_id}. {why}"


def _dream(dream: Callable[[], str]) -> str:
    try:
        return f"Good night: dream {dream()} has begun. I keep answering; new weights go live by themselves."
    except NightschoolError as e:
        return f"No dream was started: {e}."
