"""Which messages are commands, and what of a history remains without them."""

import pytest

from nightschool.errors import DreamError
from nightschool.serve.commands import Command, execute, parse, split
from nightschool.store import Store
from nightschool.types import Message
from tests.helpers import turns


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/good", Command("good")),
        (" /undo\n", Command("undo")),
        ("/bad", Command("bad")),
        ("/bad too\nlong", Command("bad", "too\nlong")),
        ("/dream", Command("dream")),
        ("/Good", Command("good")),
        ("/good!", Command("good")),
        ("/BAD. ", Command("bad")),
        ("/good。", Command("good")),
        ("/good 👍", Command("good", "👍")),
        ("/good thanks for the format", Command("good", "thanks for the format")),
        ("/good, thanks", Command("good", "thanks")),
        ("/bad: too long", Command("bad", "too long")),
        ("/Dream now", Command("dream")),
        (" /good\n\nReply in English.\n", Command("good")),  # aider adds that
        (" /bad too long\n\nReply in English.\n", Command("bad", "too long")),
        ("good:", Command("good")),
        ("Good: thanks", Command("good", "thanks")),
        ("bad: too long\n\nReply in English.\n", Command("bad", "too long")),
        ("undo:", Command("undo")),
        ("Dream:", Command("dream")),
        ("/badly", None),
        ("/goodbye", None),
        ("/good/bad", None),
        ("/good_one", None),
        ("/good.txt", None),
        ("say /good", None),
        ("good", None),
        ("Good!", None),
        ("good:1", None),
        ("good: 3, bad: 4", None),
        ("Good: short.\nBad: wrong.", None),
        ("There are good: 3, bad: 4", None),
        ("bad: it fails\n\nTraceback\n  line 1", None),
        ("dream: I could fly", None),
        ("goods: two", None),
    ],
)
def test_a_command_is_the_whole_message(text: str, command: Command | None) -> None:
    assert parse(Message("user", text)) == command
    assert parse(Message("assistant", text)) is None


def test_commands_and_their_answers_leave_no_trace() -> None:
    history = [*turns("hi", "hello", "/good", "Thank you.", "/bad no"), *turns("more", "yes", "/undo")]
    kept, command = split(history)
    assert [m.content for m in kept] == ["hi", "hello", "more", "yes"]
    assert command == Command("undo")
    assert split(turns("hi", "hello")) == (turns("hi", "hello"), None)


def test_a_system_turn_parts_no_command_from_its_answer() -> None:
    clock, undo = Message("system", "It is nine."), Message("user", "/undo")
    said = [*turns("hi", "hello", "/good"), clock, Message("assistant", "Thank you."), undo, clock]
    assert split(said) == ([*turns("hi", "hello"), clock, clock], Command("undo"))


def test_what_goes_wrong_is_said(store: Store) -> None:
    def busy() -> str:
        raise DreamError("a dream is running")

    assert "did not work: there is no session" in execute(Command("good"), store, "nope", busy)
    assert "No dream was started: a dream is running" in execute(Command("dream"), store, None, busy)
