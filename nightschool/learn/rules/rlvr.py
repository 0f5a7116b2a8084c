"""Reinforcement learning with verifiable rewards: what the verifier says is right is said more often.

Group-relative advantages (arXiv 2402.03300, section 4.1): of the episodes of one example,
A = (reward - mean) / (standard deviation); all tokens of an episode share its advantage.
    loss = - mean over tokens of min(r A, clip(r, 1 - e, 1 + e) A)  +  beta KL( student || live ),
    r = student(y_t) / student that sampled(y_t)
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nightschool.learn.examples import Example, PracticeSet
from nightschool.learn.objectives import LossBatch, Reinforce
from nightschool.learn.rollouts import Episode, Rollout
from nightschool.learn.rule import RuleContext


class RLVR:
    """Practises only what a verifier can judge."""

    def __init__(self, context: RuleContext) -> None:
        self._context = context

    def eligible(self, examples: Sequence[Example], step: int) -> Sequence[Example]:
        return [e for e in examples if e.verifier]

    def rollouts(self, examples: Sequence[Sequence[Example]], student: str, step: int) -> list[list[Rollout]]:
        """As many answers as there are examples, in groups of answers to fewer of them."""
        group = self._context.config.rlvr.group_size
        drawn = [batch[: max(1, len(batch) // group)] for batch in examples]
        return self._context.sample(drawn, student, step, group)

    def objectives(self, practice: PracticeSet, rollouts: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        played = [[Episode.of(rollout) for rollout in step] for step in rollouts]
        pairs = [(turn.prompt, turn.answer) for step in played for e in step for turn in e.turns]
        live = iter(self._context.model.hidden(pairs, self._context.live))
        return [self._reinforce(step, live) for step in played]

    def _reinforce(self, episodes: Sequence[Episode], live: Iterator[Tensor]) -> LossBatch:
        turns = [
            (turn, advantage)
            for episode, advantage in zip(episodes, advantages(episodes), strict=True)
            for turn in episode.turns
        ]
        objective = Reinforce(
            answers=[turn.answer for turn, _ in turns],
            logprobs=[turn.logprobs for turn, _ in turns],
            advantages=[advantage for _, advantage in turns],
            live_NW=torch.cat([next(live) for _ in turns]),
            beta=self._context.config.rlvr.kl_coef,
        )
        return [(turn.prompt, turn.answer) for turn, _ in turns], objective


def advantages(episodes: Sequence[Episode]) -> list[float]:
    """Each episode's, relative to the others of its example; zero where all have the same reward."""
    rewards: dict[str, list[float]] = {}
    for episode in episodes:
        rewards.setdefault(episode.example_id, []).append(episode.reward)
    out = []
    for episode in episodes:
        group = rewards[episode.example_id]
        spread = statistics.pstdev(group)
        out.append((episode.reward - statistics.mean(group)) / spread if spread else 0.0)
    return out


RULE = RLVR
