"""Rewards, advantages, and the clipped policy gradient, against hand-computed values and autograd."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nightschool.config import RlvrConfig
from nightschool.learn.examples import Example, PracticeSet
from nightschool.learn.objectives import Reinforce
from nightschool.learn.rollouts import Episode, Rollout
from nightschool.learn.rule import RuleContext
from nightschool.learn.rules.rlvr import RLVR, advantages
from nightschool.models.hf import HFModel
from nightschool.types import BASE
from tests.learn.conftest import QUICK


def episodes(*rewards: float, example: str = "d") -> list[Episode]:
    return [Episode(example, (), reward) for reward in rewards]


def test_advantages_are_relative_to_the_other_episodes_of_the_example() -> None:
    mean, spread = 0.25, (0.25 * 0.75) ** 0.5
    expected = [(1 - mean) / spread, *[-mean / spread] * 3]
    assert advantages(episodes(1, 0, 0, 0)) == pytest.approx(expected)
    both = [*episodes(1, 0), *episodes(0, 1, example="e")]
    assert advantages(both) == pytest.approx([1, -1, -1, 1])
    # Partly right: the mean is 0.5, the deviation sqrt((0.25 + 0.25) / 3).
    assert advantages(episodes(0, 0.5, 1)) == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])


@pytest.mark.parametrize("reward", [0.0, 0.5, 1.0])
def test_episodes_of_equal_reward_teach_nothing(reward: float) -> None:
    assert advantages(episodes(*[reward] * 4)) == [0.0] * 4


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


def test_only_what_can_be_checked_is_practised_in_groups(tiny: HFModel, tiny_set: PracticeSet) -> None:
    rule = RLVR(RuleContext(tiny, BASE, QUICK.model_copy(update={"rlvr": RlvrConfig(group_size=2)})))
    eligible = rule.eligible(tiny_set.examples, 0)
    assert eligible
    assert all(d.verifier for d in eligible)
    assert rule.eligible([Example("x", (1,), (1,), answer=(2,))], 0) == []  # nothing verifies it
    (step,) = rule.rollouts([eligible[:4]], BASE, 0)
    assert [t.example.id for t in step] == [d.id for d in eligible[:2] for _ in range(2)]
    ((pairs, signal),) = rule.objectives(tiny_set, [step])
    assert isinstance(signal, Reinforce)
    assert [answer for _, answer in pairs] == [t.answer for t in step]
    assert all(len(t.logprobs) == len(t.answer) for t in step)


def test_what_the_verifier_accepts_is_right_whatever_its_tokens(tiny: HFModel, tiny_set: PracticeSet) -> None:
    """Two answers, of which a verifier of ours likes the second: it is reinforced, the other one is not."""
    liked = (5, 6)
    example = replace(tiny_set.examples[0], verifier=lambda answer: float(tuple(answer) == liked))
    step = [Rollout(example, answer, logprobs=(-1.0, -1.0)) for answer in ((3, 4), liked)]
    ((pairs, objective),) = RLVR(RuleContext(tiny, BASE, QUICK)).objectives(tiny_set, [step])
    assert [answer for _, answer in pairs] == [(3, 4), liked]
    assert isinstance(objective, Reinforce)
    assert objective.advantages == [-1, 1]
