"""Off-policy context distillation (arXiv 2209.15189): the teacher answers, the student learns to answer so.

loss = mean over tokens of KL( teacher(. | session, request, y<t) || student(. | request, y<t) ),
y sampled by the teacher
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from nightschool.learn.examples import Example, PracticeSet
from nightschool.learn.objectives import LossBatch
from nightschool.learn.rollouts import Rollout
from nightschool.learn.rule import RuleContext
from nightschool.seeds import seed_of


class CD:
    """Context distillation. The teacher answers each example once a dream."""

    def __init__(self, context: RuleContext) -> None:
        self._context = context
        self._answered: dict[str, tuple[tuple[int, ...], Tensor]] = {}

    def eligible(self, examples: Sequence[Example], step: int) -> Sequence[Example]:
        return examples

    def rollouts(self, examples: Sequence[Sequence[Example]], student: str, step: int) -> list[list[Rollout]]:
        """Nothing of the student's: `objectives` has the teacher's answers."""
        return [[Rollout(e, (), is_reference=True) for e in batch] for batch in examples]

    def objectives(self, practice: PracticeSet, rollouts: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        if not {r.example.id for step in rollouts for r in step} <= self._answered.keys():
            self._answer(practice)
        return [
            (
                [(r.example.student, self._answered[r.example.id][0]) for r in step],
                self._context.distil([(r.example, *self._answered[r.example.id]) for r in step]),
            )
            for step in rollouts
        ]

    def _answer(self, practice: PracticeSet) -> None:
        """All of a set at once: answers that are computed together round each other's numbers, and a dream
        that is resumed must find the same ones together."""
        context, examples = self._context, practice.examples
        prompts = [e.teacher for e in examples]
        seeds = [seed_of(context.config.seed, "answer", e.id) for e in examples]
        answers = context.answers(practice, prompts, context.config.temperature, seeds)
        hidden = context.teacher_hidden(practice, list(zip(prompts, answers, strict=True)))
        for example, answer, hidden_AW in zip(examples, answers, hidden, strict=True):
            self._answered[example.id] = answer, hidden_AW.clone()


RULE = CD
