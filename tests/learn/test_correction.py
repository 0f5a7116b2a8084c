"""The right token is likely enough, and nothing else about the teacher changes."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nightschool.learn.correction import SURE, UNKNOWN, corrected, right_next, until_mistake
from nightschool.learn.examples import Example, PracticeSet, Says
from nightschool.learn.objectives import Distil
from nightschool.learn.rollouts import Rollout
from nightschool.models.hf import HFModel
from tests.learn.conftest import rule


def example(answer: tuple[int, ...] | None, *, known: bool = True) -> Example:
    verifier = Says(None, "right") if known else None  # type: ignore[arg-type]
    return Example("e", (1,), (1,), answer=answer, verifier=verifier)


def test_a_right_token_that_the_teacher_doubts_gets_the_share() -> None:
    # Odds 1 : 1 : 2; the right one is to have 9 of 10, the others keep 1 : 2.
    teacher_NV = torch.tensor([[0.0, 0.0, math.log(2)]])
    p_V = corrected(teacher_NV, torch.tensor([0])).softmax(-1)[0]
    torch.testing.assert_close(p_V, torch.tensor([SURE, (1 - SURE) / 3, (1 - SURE) * 2 / 3]))


def test_a_teacher_that_is_surer_or_of_whom_nothing_is_known_stays() -> None:
    sure_NV = torch.tensor([[0.0, 9.0, 0.0], [3.0, 1.0, 0.0]])
    torch.testing.assert_close(corrected(sure_NV, torch.tensor([1, UNKNOWN])), sure_NV)
    assert corrected(sure_NV, torch.tensor([UNKNOWN, UNKNOWN])) is sure_NV


@given(
    st.lists(st.lists(st.floats(-30, 30, width=32), min_size=5, max_size=5), min_size=1, max_size=4),
    st.lists(st.integers(UNKNOWN, 4), min_size=4, max_size=4),
)
def test_the_others_keep_their_odds(rows: list[list[float]], right: list[int]) -> None:
    teacher_NV, right_N = torch.tensor(rows), torch.tensor(right[: len(rows)])
    made_NV = corrected(teacher_NV, right_N)
    for before_V, after_V, token in zip(teacher_NV, made_NV, right_N.tolist(), strict=True):
        others = [v for v in range(5) if v != token]
        torch.testing.assert_close(after_V[others], before_V[others])
        if token != UNKNOWN:
            assert after_V.softmax(-1)[token] >= SURE - 1e-5
            assert after_V[token] >= before_V[token]


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ((7, 8, 9), [7, 8, 9]),
        ((7, 5, 9), [7, 8, UNKNOWN]),  # what should have come in place of 5, and then nobody knows
        ((5,), [7]),
        ((7, 8, 9, 4), [7, 8, 9, UNKNOWN]),
        ((), []),
    ],
)
def test_the_right_token_is_known_up_to_the_first_mistake(said: tuple[int, ...], right: list[int]) -> None:
    assert right_next(example((7, 8, 9)), said) == right


def test_the_teachers_own_answer_corrects_nobody() -> None:
    assert right_next(example((7, 8), known=False), (7, 5)) == [UNKNOWN, UNKNOWN]
    assert right_next(example(None), (7,)) == [UNKNOWN]


@pytest.mark.parametrize(
    ("said", "taught"),
    [
        ((7, 5, 9), (7, 5)),  # the mistake itself is taught: something else was right there
        ((7, 8), (7, 8)),  # cut off before it could be right or wrong
        ((7, 8, 9), (7, 8, 9)),
    ],
)
def test_a_wrong_answer_teaches_up_to_its_first_mistake(
    said: tuple[int, ...], taught: tuple[int, ...]
) -> None:
    wrong = replace(example((7, 8, 9)), verifier=lambda answer: float(tuple(answer) == (7, 8, 9)))
    assert until_mistake(Rollout(wrong, said)).answer == taught


def test_a_right_answer_in_other_words_and_one_that_nobody_can_judge_are_taught_whole() -> None:
    other_words = replace(example((7, 8, 9)), verifier=lambda _: 1.0)
    assert until_mistake(Rollout(other_words, (5, 6))).answer == (5, 6)
    assert until_mistake(Rollout(example((7, 8), known=False), (5, 6))).answer == (5, 6)


def test_a_rule_teaches_the_right_tokens_unless_they_are_not_to_be_used(
    tiny: HFModel, tiny_set: PracticeSet
) -> None:
    known = [e for e in tiny_set.examples if e.answer][:2]
    for fraction in (1.0, 0.0):
        opsd = rule(tiny, fraction)
        (rollouts,) = rule(tiny, 1.0).rollouts([known], "base", 0)
        ((_, signal),) = opsd.objectives(tiny_set, [rollouts])
        assert isinstance(signal, Distil)
        assert signal.right_N is not None
        answers = [token for e in known for token in e.answer or ()]
        assert signal.right_N.tolist() == (answers if fraction else [UNKNOWN] * len(answers))
        loss_C, gradient_CV = signal(
            tiny, slice(0, 1), torch.zeros(1, tiny.logits(signal.teacher_NW[:1]).shape[-1])
        )
        pull = len(signal.teacher_NW) * gradient_CV[0, answers[0]]  # q - p at the right token
        assert (pull < -0.8) == (fraction > 0)
        assert loss_C.isfinite().all()
