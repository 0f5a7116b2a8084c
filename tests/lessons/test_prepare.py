"""Which lessons sessions make, by how they were judged."""

from nightschool.config import LearnConfig
from nightschool.lessons.prepare import heard, prepare
from nightschool.types import Lesson, Message, Session, Signal
from tests.helpers import turns

LEARN = LearnConfig(variations=4, held_back=2)
ACCEPTED = [Signal("f", "s", "r", "accepted", position=1)]
ACME = turns("Pay INV-20 to Acme Ltd.", "Acme Ltd: INV-20")
BELL = turns("Pay INV-31 to Bell Ltd.", "Bell Ltd: INV-31")


def lessons_of(judged: list[tuple[Session, list[Signal]]]) -> list[Lesson]:
    return [prepare(one, LEARN) for one in heard(judged)]


def test_each_rated_session_is_a_lesson_of_its_own() -> None:
    rated = [Session(name, tuple(said), rating="good") for name, said in (("a", ACME), ("b", BELL))]
    assert [one.session_id for one in lessons_of([(s, []) for s in rated])] == ["a", "b"]


def test_single_answers_of_like_sessions_make_one_lesson() -> None:
    judged = [(Session(name, tuple(said)), ACCEPTED) for name, said in (("a", ACME), ("b", BELL))]
    (lesson,) = lessons_of(judged)
    assert lesson.session_id == "signals-a"
    assert lesson.context == (*ACME, *BELL)


def test_other_system_turns_or_tools_make_another_lesson() -> None:
    system = Message("system", "You keep the books.")
    signal = [Signal("f", "s", "r", "accepted", position=2)]
    tool = {"type": "function", "function": {"name": "pay"}}
    judged = [
        (Session("plain", tuple(ACME)), ACCEPTED),
        (Session("books", (system, *ACME)), signal),
        (Session("tools", tuple(BELL), (tool,)), ACCEPTED),
    ]
    assert {one.session_id for one in lessons_of(judged)} == {
        "signals-plain",
        "signals-books",
        "signals-tools",
    }
