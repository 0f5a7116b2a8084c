"""Reinforcement learning with verifiable rewards: a try that is right is worth one, any other nothing.

Group-relative advantages (arXiv 2402.03300, section 4.1): of the tries at one request,
A = (reward - mean) / (standard deviation); tokens of a try share its advantage.
    loss = - mean over tokens of min(r A, clip(r, 1 - e, 1 + e) A)  +  beta KL( student || live ),
    r = student(y_t) / student that sampled(y_t)
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import torch

from nightschool.learn.examples import Course, Example
from nightschool.learn.objectives import LossBatch, Reinforce
from nightschool.learn.rules.common import Rollout, RuleContext


class RLVR:
    """The rule. It practises only what has a known right answer."""

    def __init__(self, teaching: RuleContext) -> None:
        self._teaching = teaching

    def eligible(self, examples: Sequence[Example], step: int) -> Sequence[Example]:
        return [d for d in examples if d.checked]

    def rollouts(self, examples: Sequence[Sequence[Example]], student: str, step: int) -> list[list[Rollout]]:
        """As many tries as there are examples, in groups at fewer of them."""
        group = self._teaching.config.rlvr.group_size
        return self._teaching.sample(
            [some[: max(1, len(some) // group)] for some in examples], student, step, group
        )

    def objectives(self, course: Course, tries: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        model, version = self._teaching.model, self._teaching.live
        pairs = [t.pair for step in tries for t in step]
        live = iter(model.hidden(pairs, version))
        return [
            (
                [t.pair for t in step],
                Reinforce(
                    answers=[t.answer for t in step],
                    logprobs=[t.logprobs for t in step],
                    advantages=advantages(step),
                    live_NW=torch.cat([next(live) for _ in step]),
                    beta=self._teaching.config.rlvr.kl_coef,
                ),
            )
            for step in tries
        ]


def advantages(tries: Sequence[Rollout]) -> list[float]:
    """Each try's, relative to the others at its request; zero where all are right or all are wrong."""
    rewards: dict[str, list[float]] = {}
    for t in tries:
        rewards.setdefault(t.example.id, []).append(float(t.answer == t.example.answer))
    out = []
    for t in tries:
        group = rewards[t.example.id]
        spread = statistics.pstdev(group)
        own = float(t.answer == t.example.answer)
        out.append((own - statistics.mean(group)) / spread if spread else 0.0)
    return out
