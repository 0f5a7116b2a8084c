"""Trajectory-refined distillation: the teacher mends the student's answer first, then that is learned.

After the first mistake of an answer a teacher would only grade a doomed beginning.

    loss = mean over the refined answer's tokens of KL( teacher(. | what it saw) || student(. | request) ),
    forward and over the full vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.engines.base import PromptAnswer
from nightschool.learn.examples import Example, PracticeSet
from nightschool.learn.losses import forward_kl
from nightschool.learn.objectives import LossBatch
from nightschool.learn.rollouts import Rollout
from nightschool.learn.rules.opsd import OPSD


class Refining(OPSD):
    """Samples as on-policy self-distillation does, and learns from refined answers."""

    def objectives(self, practice: PracticeSet, rollouts: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        pairs = self.refine(practice, [r for step in rollouts for r in step])
        refined = iter(zip(pairs, self._context.teacher_hidden(practice, pairs), strict=True))
        batches: list[LossBatch] = []
        for step in rollouts:
            mine = [
                (r.example, answer, hidden_AW) for r in step for (_, answer), hidden_AW in [next(refined)]
            ]
            objective = self._context.distil(mine, forward_kl)
            batches.append(([(example.student, answer) for example, answer, _ in mine], objective))
        return batches

    def informed(self, example: Example) -> tuple[int, ...]:
        """The prompt of the teacher that mends: with the right answer in it where it is wrong by itself,
        unless that is not to be used."""
        return (self._context.uses_known and example.informed) or example.teacher

    def refine(self, practice: PracticeSet, rollouts: Sequence[Rollout]) -> list[PromptAnswer]:
        """For each rollout the prompt (behind the set's prefix) with which the teacher refined it, and the
        refined answer. A reference answer stays as it is."""
        raise NotImplementedError
