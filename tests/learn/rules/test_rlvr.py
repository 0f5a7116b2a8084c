"""Rewards, advantages, and the clipped policy gradient, against hand-computed values and autograd."""

import pytest
import torch
from torch import Tensor

from nightschool.config import RlvrConfig
from nightschool.learn.examples import Course, Example
from nightschool.learn.objectives import Reinforce
from nightschool.learn.rules.common import Rollout, RuleContext
from nightschool.learn.rules.rlvr import RLVR, advantages
from nightschool.models.hf import HFModel
from nightschool.types import BASE
from tests.learn.conftest import QUICK

RIGHT = (3, 1)


def tries(*right: bool, example: str = "d") -> list[Rollout]:
    asked = Example(example, (5,), (5,), answer=RIGHT, checked=True)
    return [Rollout(asked, RIGHT if ok else (4, 1), False) for ok in right]


def test_advantages_are_relative_to_the_other_tries_at_the_request() -> None:
    mean, spread = 0.25, (0.25 * 0.75) ** 0.5
    expected = [(1 - mean) / spread, *[-mean / spread] * 3]
    assert advantages(tries(True, False, False, False)) == pytest.approx(expected)
    both = [*tries(True, False), *tries(False, True, example="e")]
    assert advantages(both) == pytest.approx([1, -1, -1, 1])


@pytest.mark.parametrize("all_right", [True, False])
def test_tries_that_are_all_alike_teach_nothing(all_right: bool) -> None:
    assert advantages(tries(*[all_right] * 4)) == [0.0] * 4


def reinforce(logprobs: list[list[float]], worth: list[float], live: Tensor, beta: float) -> Reinforce:
    return Reinforce([[3, 1], [4]], logprobs, worth, live, beta)


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_the_policy_gradient_is_that_of_the_clipped_objective(tiny: HFModel, beta: float) -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 258, requires_grad=True)
    live_NW = torch.randn(3, 32)
    said = torch.tensor([3, 1, 4])
    old = (logits.log_softmax(-1)[range(3), said] + torch.tensor([0.1, -0.5, 0.0])).tolist()
    signal = reinforce([old[:2], old[2:]], [2.0, -1.0], live_NW, beta)
    loss, gradient = signal(tiny, slice(0, 3), logits.detach())

    logq = logits.log_softmax(-1)
    ratio = (logq[range(3), said] - torch.tensor(old)).exp()
    worth = torch.tensor([2.0, 2.0, -1.0])
    gained = torch.minimum(ratio * worth, ratio.clamp(0.8, 1.2) * worth)
    calm = (logq.exp() * (logq - tiny.logits(live_NW).float().log_softmax(-1))).sum(-1)
    expected = beta * calm - gained
    torch.testing.assert_close(loss, expected.detach())
    expected.mean().backward()
    torch.testing.assert_close(gradient, logits.grad, atol=1e-6, rtol=1e-5)


def test_without_advantage_only_the_live_version_pulls(tiny: HFModel) -> None:
    logits, live_NW = torch.randn(3, 258), torch.randn(3, 32)
    old = logits.log_softmax(-1)[range(3), [3, 1, 4]].tolist()
    loss, gradient = reinforce([old[:2], old[2:]], [0.0, 0.0], live_NW, 0.0)(tiny, slice(0, 3), logits)
    assert loss.abs().max() == gradient.abs().max() == 0


def test_only_what_can_be_checked_is_practised_in_groups(tiny: HFModel, tiny_course: Course) -> None:
    rule = RLVR(RuleContext(tiny, BASE, QUICK.model_copy(update={"rlvr": RlvrConfig(group_size=2)})))
    eligible = rule.eligible(tiny_course.examples, 0)
    assert eligible
    assert all(d.checked for d in eligible)
    assert rule.eligible([Example("x", (1,), (1,), answer=(2,))], 0) == []
    (step,) = rule.rollouts([eligible[:4]], BASE, 0)
    assert [t.example.id for t in step] == [d.id for d in eligible[:2] for _ in range(2)]
    ((pairs, signal),) = rule.objectives(tiny_course, [step])
    assert isinstance(signal, Reinforce)
    assert [answer for _, answer in pairs] == [t.answer for t in step]
    assert all(len(t.logprobs) == len(t.answer) for t in step)
