"""Who answers, who teaches, and that both speak of the same tokens."""

from dataclasses import replace

import pytest
import torch

from nightschool.config import LearnConfig, OpsdConfig
from nightschool.errors import DreamError
from nightschool.learn.admission import admit
from nightschool.learn.examples import PracticeSet, practice_set
from nightschool.learn.objectives import Distil
from nightschool.learn.rule import RuleContext
from nightschool.models.hf import HFModel
from nightschool.types import BASE, Lesson, Message, Session
from tests.helpers import randomised
from tests.learn.conftest import rule


@pytest.mark.parametrize(("share", "given"), [(0.0, 0), (0.5, 2), (1.0, 4)])
def test_the_reference_fraction_are_right_answers(
    tiny: HFModel, tiny_set: PracticeSet, share: float, given: int
) -> None:
    examples = [d for d in tiny_set.examples if d.answer][:4]
    tiny.publish("student", randomised(tiny))
    (rollouts,) = rule(tiny, share).rollouts([examples], "student", 0)
    assert {t.example.id for t in rollouts} == {d.id for d in examples}
    assert sum(t.is_reference for t in rollouts) == given
    assert all(t.answer == t.example.answer for t in rollouts if t.is_reference)
    assert rule(tiny, share).rollouts([examples], "student", 0) == [rollouts]


def test_the_first_steps_practise_right_answers(tiny: HFModel, tiny_set: PracticeSet) -> None:
    steps = [[d for d in tiny_set.examples if d.answer][i : i + 2] for i in (0, 2)]
    warm, later = rule(tiny, 0.5, reference_steps=5).rollouts(steps, BASE, 4)
    assert [t.is_reference for t in warm] == [True, True]
    assert [t.is_reference for t in later] == [True, False]
    # Here the right answers are not to be used.
    cold, _ = rule(tiny, 0.0, reference_steps=5).rollouts(steps, BASE, 4)
    assert [t.is_reference for t in cold] == [False, False]


def test_the_rollouts_of_several_steps_are_each_steps_own(tiny: HFModel, tiny_set: PracticeSet) -> None:
    first, second = tiny_set.examples[:3], tiny_set.examples[2:5]
    together = rule(tiny, 0.0).rollouts([first, second], BASE, 0)
    assert [[t.example.id for t in step] for step in together] == [
        [d.id for d in first],
        [d.id for d in second],
    ]


def test_the_teacher_has_the_session_and_the_student_has_not(
    tiny: HFModel, lesson: Lesson, tiny_set: PracticeSet
) -> None:
    example, request = tiny_set.examples[0], lesson.practice[0]
    asked = request.messages[-1].content
    student = tiny.tokenizer.decode(example.student)
    teacher = tiny.tokenizer.decode([*tiny_set.prefix.tokens, *example.teacher])
    session = "".join(f"<|im_start|>{m.role}\n{m.content}<|im_end|>\n" for m in lesson.context)
    turn = f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n"
    assert student == turn
    assert teacher == session + turn
    assert example.informed is not None
    told = f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n{request.expected}<|im_end|>\n"
    assert tiny.tokenizer.decode([*tiny_set.prefix.tokens, *example.informed]) == session + told + turn
    assert example.answer is not None
    assert example.answer[-1] == tiny.eos[0]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_teacher_and_student_are_aligned_token_by_token(
    tiny: HFModel, tiny_set: PracticeSet, share: float
) -> None:
    """The teacher's states predict exactly the tokens that were sampled: the log-probabilities they give are
    those of a plain forward over session, request and answer."""
    opsd = rule(tiny, share)
    (rollouts,) = opsd.rollouts([tiny_set.examples[:3]], BASE, 0)
    ((taught, signal),) = opsd.objectives(tiny_set, [rollouts])
    assert isinstance(signal, Distil)
    tokens = [token for _, answer in taught for token in answer]
    found = tiny.logits(signal.teacher_NW).log_softmax(-1)[range(len(tokens)), tokens]
    pairs = [
        ([*tiny_set.prefix.tokens, *t.example.teacher], answer)
        for t, (_, answer) in zip(rollouts, taught, strict=True)
    ]
    expected = torch.tensor([logp for row in tiny.score(pairs) for logp in row])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_right_answer_is_taught_once_a_dream(tiny: HFModel, lesson: Lesson, tiny_set: PracticeSet) -> None:
    opsd = rule(tiny, 1.0)
    (rollouts,) = opsd.rollouts([[d for d in tiny_set.examples if d.answer][:2]], BASE, 0)
    ((_, asked),) = opsd.objectives(tiny_set, [rollouts])
    ((practice, candidates),) = admit(
        RuleContext(tiny, BASE, LearnConfig(opsd=OpsdConfig(reference_fraction=1.0))), [lesson], [tiny_set]
    )
    known = {candidate.example.id: candidate.example for candidate in candidates}
    tiny.hidden = None  # type: ignore[assignment,method-assign]  # to ask the teacher would fail
    admitted = [replace(t, example=known[t.example.id]) for t in rollouts]
    ((_, remembered),) = opsd.objectives(practice, [admitted])
    assert isinstance(remembered, Distil)
    assert isinstance(asked, Distil)
    torch.testing.assert_close(remembered.teacher_NW, asked.teacher_NW, atol=1e-5, rtol=1e-5)


def test_several_steps_are_taught_together(tiny: HFModel, tiny_set: PracticeSet) -> None:
    rollouts = rule(tiny, 0.5).rollouts([tiny_set.examples[:3], tiny_set.examples[3:5]], BASE, 0)
    together = rule(tiny, 0.5).objectives(tiny_set, rollouts)
    for step, (_, signal) in zip(rollouts, together, strict=True):
        ((_, alone),) = rule(tiny, 0.5).objectives(tiny_set, [step])
        assert isinstance(signal, Distil)
        assert isinstance(alone, Distil)
        torch.testing.assert_close(signal.teacher_NW, alone.teacher_NW, atol=1e-5, rtol=1e-5)


def test_a_session_that_does_not_fit_is_refused(tiny: HFModel, lesson: Lesson) -> None:
    long = Lesson("s", (*lesson.context, Message("user", "x" * 500), Message("assistant", "y")), (), ())
    with pytest.raises(DreamError, match="more than the model's context of 512"):
        practice_set(tiny, long, lesson.practice, BASE)


def test_a_system_turn_stands_once_before_the_teacher(tiny: HFModel) -> None:
    from nightschool.lessons.build import build_lesson

    turns = (Message("system", "Be brief."), Message("user", "Pay INV-20"), Message("assistant", "INV-20"))
    lesson = build_lesson(Session("s", turns), seed=0, variations=2, held_back=0)
    made = practice_set(tiny, lesson, lesson.practice, BASE)
    text = tiny.tokenizer.decode([*made.prefix.tokens, *made.examples[0].teacher])
    assert text.count("Be brief.") == 1
    assert "Be brief." in tiny.tokenizer.decode(made.examples[0].student)
