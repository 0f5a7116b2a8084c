"""Which lessons sessions make, by how they were judged."""

import logging
from collections.abc import Iterator, Sequence

import pytest

from nightschool.config import Config, HelperConfig, LearnConfig, LessonsConfig
from nightschool.errors import HelperError
from nightschool.lessons import prepare as module
from nightschool.lessons.helper import Helper
from nightschool.lessons.prepare import heard, prepare
from nightschool.lessons.writing import Answered, Writer
from nightschool.types import Lesson, Message, Session, Signal
from tests.helpers import turns
from tests.lessons.conftest import Reader

CONFIG = Config(learn=LearnConfig(variations=4, held_back=2))
ACCEPTED = [Signal("f", "s", "r", "accepted", position=1)]
ACME = turns("Pay INV-20 to Acme Ltd.", "Acme Ltd: INV-20")
BELL = turns("Pay INV-31 to Bell Ltd.", "Bell Ltd: INV-31")


def lessons_of(judged: list[tuple[Session, list[Signal]]]) -> list[Lesson]:
    return [prepare(one, CONFIG) for one in heard(judged)]


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


TOLD = Session("s", tuple(turns("Our lawyer is Ines Corvo.", "Thank you.")), rating="good")
HELPED = CONFIG.model_copy(
    update={"lessons": LessonsConfig(helper=HelperConfig(url="http://x/v1", model="m"))}
)


class Writers:
    """A helper and a model in place of those that write questions, and who was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, str, str, int]] = []
        self.fails = self.silent = False
        monkeypatch.setattr(Helper, "questions", lambda _, *given: self._help(*given))
        monkeypatch.setattr(Writer, "questions", lambda _, *given: self._write(*given[:2]))

    def _help(self, note: str, answer: str, count: int) -> list[str]:
        self.asked.append(("helper", note, answer, count))
        if self.fails and not self.silent:
            self.silent = True  # as one whose endpoint failed
            raise HelperError("the helper cannot be reached")
        return [] if self.silent else ["Who helps as our lawyer?"]

    def _write(self, noted: Sequence[Answered], count: int) -> list[list[str]]:
        self.asked += [("model", note, answer, count) for note, answer in noted]
        return [["Who is now our lawyer?"] for _ in noted]

    def practised(self, config: Config) -> set[str]:
        """The questions that are practised or held back of a session with a told fact."""
        (judged,) = heard([(TOLD, [])])
        model = Reader(("lawyer", "Ines", "Corvo"), lambda prompt, version: "Ines Corvo")
        lesson = prepare(judged, config, model)
        return {p.messages[-1].content for p in (*lesson.practice, *lesson.held_back)}


@pytest.fixture
def writers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Writers]:
    module._helper.cache_clear()
    yield Writers(monkeypatch)
    module._helper.cache_clear()


def test_a_helper_writes_the_questions_about_both_ends_of_a_fact(writers: Writers) -> None:
    assert writers.practised(HELPED) == {"Who helps as our lawyer?"}
    note, count = TOLD.messages[0].content, HELPED.learn.self_asked
    assert writers.asked == [("helper", note, says, count) for says in ("Ines Corvo", "lawyer")]


def test_without_a_helper_the_model_writes_them(writers: Writers) -> None:
    assert writers.practised(CONFIG) == {"Who is now our lawyer?"}
    assert {who for who, *_ in writers.asked} == {"model"}


def test_where_the_helper_fails_the_model_writes_them_and_it_is_said_once(
    writers: Writers, caplog: pytest.LogCaptureFixture
) -> None:
    writers.fails = True
    with caplog.at_level(logging.WARNING):
        assert writers.practised(HELPED) == {"Who is now our lawyer?"}
    assert [who for who, *_ in writers.asked] == ["helper", "helper", "model", "model"]
    assert caplog.messages == ["the helper cannot be reached; the model writes its own questions"]


def test_no_questions_are_written_where_none_are_wanted(writers: Writers) -> None:
    learn = HELPED.learn.model_copy(update={"self_asked": 0})
    assert writers.practised(HELPED.model_copy(update={"learn": learn})) == set()
    assert writers.asked == []


def test_one_helper_serves_all_sessions_of_a_night(writers: Writers) -> None:
    assert module._helper(HELPED.lessons.helper) is module._helper(HelperConfig(url="http://x/v1", model="m"))
    assert module._helper(CONFIG.lessons.helper) is None
