"""Other ways to make a session's own requests, and which of them the teacher bears out."""

from collections.abc import Sequence

import pytest

from nightschool.engines.base import Prefix, PromptAnswer
from nightschool.engines.scripted import ScriptedModel
from nightschool.lessons.exchanges import Exchange
from nightschool.lessons.paraphrases import Paraphrases, _about, _taken
from nightschool.types import BASE, Message
from tests.helpers import turns

DOOR = ("Ticket 5424: door is stuck.", "door = GATE")
WIFI = ("Ticket 6974: wifi is down.", "wifi = WEB")
SESSION = turns(*DOOR, *WIFI)


def exchange(request: str = DOOR[0], answer: str = DOOR[1]) -> Exchange:
    return Exchange((), (Message("user", request),), answer)


class Talker(ScriptedModel):
    """Wants the user to say `line` next, wherever it may go on from, and answers by `teach`. An answer is
    likelier to a request that has its first word."""

    def __init__(self, line: str, teach: dict[str, str], context_length: int = 4096) -> None:
        super().__init__(self._say, context_length=context_length)
        self.line, self.teach, self.heard = line, teach, list[str]()

    def _say(self, prompt: str, _: str) -> str:
        last = prompt.rpartition("user: ")[2]
        if "\nassistant: " not in last:  # in the middle of the user's turn
            return self.line[len(last) :] if self.line.startswith(last) else "\n"
        self.heard.append(prompt)
        return self.teach.get(last.partition("\n")[0], "no idea")

    def score(
        self, pairs: Sequence[PromptAnswer], version: str = BASE, prefix: Prefix | None = None
    ) -> list[list[float]]:
        before = prefix.tokens if prefix else ()
        asked = [self.decode((*before, *prompt)).rpartition("user: ")[2] for prompt, _ in pairs]
        said = [self.decode(answer).split(" ")[0] for _, answer in pairs]
        return [[-1.0 if word in request else -2.0] for word, request in zip(said, asked, strict=True)]


def of(model: Talker, *asked: Exchange, session: Sequence[Message] = SESSION) -> list[str]:
    found = Paraphrases(model, BASE, session, (), count=12, seed=0).of(asked or [exchange()])
    return [text for _, text in found]


BROKEN = "Ticket 5424: door is broken."


def test_what_the_teacher_gives_the_recorded_answer_to_is_a_paraphrase() -> None:
    model = Talker(f"{BROKEN}\nmore", {BROKEN: DOOR[1]})
    assert of(model) == [BROKEN]
    # With the session's exchanges in either order.
    orders = {prompt.index(DOOR[0]) < prompt.index(WIFI[0]) for prompt in model.heard}
    assert orders == {True, False}


@pytest.mark.parametrize(
    ("line", "teach", "why"),
    [
        (f"{BROKEN}\n", {BROKEN: "door = WEB"}, "the teacher says something else"),
        (DOOR[0] + "\n", {DOOR[0]: DOOR[1]}, "it is the request itself"),
        ("\n", {}, "there is nothing"),
        (BROKEN[:-1] + " and it was never any better than that.\n", {}, "it came to no end"),
        ("Ticket 5424: lift is up, or down.\n", {}, "it is about something else, in another place"),
    ],
)
def test_others_are_none(line: str, teach: dict[str, str], why: str) -> None:
    assert of(Talker(line, teach)) == [], why


def test_an_answer_that_would_be_given_to_nothing_is_not_believed() -> None:
    class Always(Talker):
        def score(
            self, pairs: Sequence[PromptAnswer], version: str = BASE, prefix: Prefix | None = None
        ) -> list[list[float]]:
            return [[-1.0]] * len(pairs)

    assert of(Always(f"{BROKEN}\n", {BROKEN: DOOR[1]})) == []


def test_what_is_asked_about_something_else_is_asked_about_this() -> None:
    line, mine = "Ticket 5421: lift is loud.", "Ticket 5421: door is loud."
    assert of(Talker(f"{line}\n", {mine: DOOR[1]})) == [mine]


def test_requests_whose_answers_took_nothing_from_them_and_long_ones_are_left_alone() -> None:
    model = Talker(f"{BROKEN}\n", {BROKEN: DOOR[1]})
    assert of(model, exchange(answer="Q-7")) == []
    assert of(model, exchange("door is\nstuck")) == []
    steps = Exchange((), (*turns(*DOOR), Message("user", "door?")), DOOR[1])
    assert of(model, steps) == []


def test_a_context_without_room_has_none() -> None:
    room = len(Talker("", {}).encode([*SESSION, Message("user", DOOR[0])]))
    assert of(Talker(f"{BROKEN}\n", {BROKEN: DOOR[1]}, context_length=room)) == []
    assert of(Talker(f"{BROKEN}\n", {BROKEN: DOOR[1]}, context_length=room + 20)) == [BROKEN]


@pytest.mark.parametrize(
    ("request_", "answer", "taken"),
    [
        (*DOOR, "door"),
        ("Who leads the north yard of Ghent?", "Mira leads the north yard.", "leads the north yard"),
        ("Die Klinke ist locker.", "Q-TÜR", ""),
        ("ドアが開かない", "ドア係", "ドア"),
    ],
)
def test_what_an_answer_took_from_its_request(request_: str, answer: str, taken: str) -> None:
    assert _taken(exchange(request_, answer)) == taken


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Is the door shut?", "Is the door shut?"),
        ("Ticket 1: hotel gate is stuck.", "Ticket 1: door is stuck."),
        ("What about that?", None),
    ],
)
def test_a_paraphrase_is_about_the_same(text: str, about: str | None) -> None:
    assert _about(text, DOOR[0], "door") == about
