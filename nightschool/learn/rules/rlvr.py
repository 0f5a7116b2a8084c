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

from nightschool.learn.drills import Course, Drill
from nightschool.learn.rules.common import Teaching, Trajectory
from nightschool.learn.step import Batch, Reinforce


class RLVR:
    """The rule. It practises only what has a known right answer."""

    def __init__(self, teaching: Teaching) -> None:
        self._teaching = teaching

    def eligible(self, drills: Sequence[Drill], step: int) -> Sequence[Drill]:
        return [d for d in drills if d.checked]

    def trajectories(
        self, drills: Sequence[Sequence[Drill]], student: str, step: int
    ) -> list[list[Trajectory]]:
        """As many tries as there are drills, in groups at fewer of them."""
        group = self._teaching.config.rlvr.group_size
        return self._teaching.tries(
            [some[: max(1, len(some) // group)] for some in drills], student, step, group
        )

    def teach(self, course: Course, tries: Sequence[Sequence[Trajectory]]) -> list[Batch]:
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
                    live_ND=torch.cat([next(live) for _ in step]),
                    beta=self._teaching.config.rlvr.kl_coef,
                ),
            )
            for step in tries
        ]


def advantages(tries: Sequence[Trajectory]) -> list[float]:
    """Each try's, relative to the others at its request; zero where all are right or all are wrong."""
    rewards: dict[str, list[float]] = {}
    for t in tries:
        rewards.setdefault(t.drill.id, []).append(float(t.answer == t.drill.answer))
    out = []
    for t in tries:
        group = rewards[t.drill.id]
        spread = statistics.pstdev(group)
        own = float(t.answer == t.drill.answer)
        out.append((own - statistics.mean(group)) / spread if spread else 0.0)
    return out
