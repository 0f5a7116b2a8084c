"""Which lessons have evidence enough for the gate."""

import pytest

from nightschool.config import Config, load
from nightschool.learn.encoding import EncodedLesson
from nightschool.night.judge import gated, ungated
from nightschool.types import Lesson, Message, PracticeRequest, Probe


def encoded(probes: int, *requests: tuple[str, str | None], fits: bool = True) -> EncodedLesson:
    """A lesson with so many probes of the gate, and these requests with their right answers."""
    practice = tuple(
        PracticeRequest(f"s/r{i}", "s", (Message("user", text),), "recorded", expected=answer)
        for i, (text, answer) in enumerate(requests)
    )
    lesson = Lesson("s", (), practice, ())
    gate = tuple(Probe(f"s/h{i}", (1,), (2,)) for i in range(probes))
    return EncodedLesson(lesson, (lesson,) * fits, (), (), gate, None, (), ())


@pytest.mark.parametrize(
    ("lesson", "refusal"),
    [
        (encoded(5, ("a", "A")), None),
        (encoded(4, ("a", "A"), ("b", "B")), "needs 1 more exchange of this kind"),
        (encoded(4, ("a", "A"), ("a", "A2"), ("b", None)), "needs 1 more exchange of this kind"),  # one known
        (encoded(2, ("a", "A"), ("b", "B")), "needs 3 more exchanges of this kind"),
        (encoded(0), "needs 5 more exchanges of this kind"),
        (encoded(0, fits=False), "no exchange fits into the model's context"),
    ],
)
def test_a_lesson_needs_as_many_probes_as_can_pass_by_themselves(
    lesson: EncodedLesson, refusal: str | None
) -> None:
    assert gated.refusal(Config(), lesson) == refusal
    assert ungated.refusal(Config(), lesson) is None


def test_where_the_settings_hold_too_little_back_more_evidence_is_not_asked_for() -> None:
    few = load({"learn.held_back": "4"}, env={})
    assert gated.refusal(few, encoded(2)) is None
    assert gated.refusal(few, encoded(1, ("a", "A"))) == "needs 1 more exchange of this kind"
    assert gated.refusal(load({"gate.alpha": "0.3"}, env={}), encoded(2)) is None
