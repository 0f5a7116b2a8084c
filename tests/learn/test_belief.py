"""Whether the teacher's own answer may count as right."""

from dataclasses import replace

import pytest

from nightschool.config import LearnConfig
from nightschool.learn import belief
from nightschool.learn.belief import own_answers
from nightschool.learn.examples import practice_set
from nightschool.learn.rule import RuleContext
from nightschool.models.hf import HFModel
from nightschool.types import BASE, Lesson, Message, PracticeRequest, Reading
from tests.helpers import turns

CONFIG = LearnConfig(max_new_tokens=4)
UNKNOWN = PracticeRequest("s/r", "s", (Message("user", "Pay INV-9 to Crane Ltd"),), "recorded")
CONTEXT = tuple(
    turns("Pay INV-20 to Acme Ltd", "Acme Ltd INV-20", "Pay INV-31 to Bell Ltd", "Bell Ltd INV-31")
)


def lesson(*reliable: bool | None, context: tuple[Message, ...] = CONTEXT) -> Lesson:
    readings = tuple(Reading("?", "!", "stands alone", reliable=one) for one in reliable)
    return Lesson("s", context, (UNKNOWN,), (), readings=readings)


def doubt(model: HFModel, of: Lesson) -> str | None:
    made = practice_set(model, of, of.practice, BASE)
    return own_answers(RuleContext(model, BASE, CONFIG), of, made)["s/r"].doubt


def test_a_teacher_that_errs_on_the_session_is_not_believed_beyond_it(tiny: HFModel) -> None:
    assert lesson(True, None, False).reliability == 0.5
    assert (
        doubt(tiny, lesson(True, False))
        == "when left out, only 50% of the session's exchanges are answered right"
    )


def test_an_answer_that_hangs_on_the_order_is_a_guess(tiny: HFModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(belief, "answered", lambda *_: ["something else"])
    assert (
        doubt(tiny, lesson(True)) == "the teacher says something else when the session comes in another order"
    )


def test_an_answer_that_any_request_would_get_is_a_guess(tiny: HFModel) -> None:
    """Here the request is the empty one."""
    empty = replace(UNKNOWN, messages=(Message("user", ""),))
    alone = replace(lesson(True, context=CONTEXT[:2]), practice=(empty,))
    assert doubt(tiny, alone) == "the teacher would say that to any request"


def test_what_is_known_is_not_asked(tiny: HFModel) -> None:
    known = replace(UNKNOWN, expected="Crane Ltd INV-9")
    of = replace(lesson(True), practice=(known,))
    made = practice_set(tiny, of, of.practice, BASE)
    assert own_answers(RuleContext(tiny, BASE, CONFIG), of, made) == {}
