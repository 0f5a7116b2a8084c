"""Off-policy context distillation (arXiv 2209.15189): the teacher answers, the student learns to answer so.

loss = mean over tokens of KL( teacher(. | session, request, y<t) || student(. | request, y<t) ),
y sampled by the teacher
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from nightschool.learn.examples import Course, Example
from nightschool.learn.objectives import LossBatch
from nightschool.learn.rules.common import Rollout, RuleContext
from nightschool.seeds import seed_of


class CD:
    """The rule. The teacher answers each example once a dream."""

    def __init__(self, teaching: RuleContext) -> None:
        self._teaching = teaching
        self._said: dict[str, tuple[tuple[int, ...], Tensor]] = {}

    def eligible(self, examples: Sequence[Example], step: int) -> Sequence[Example]:
        return examples

    def rollouts(self, examples: Sequence[Sequence[Example]], student: str, step: int) -> list[list[Rollout]]:
        """None of the student's: `teach` has the answers."""
        return [[Rollout(d, (), True) for d in some] for some in examples]

    def objectives(self, course: Course, tries: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        if not {t.example.id for step in tries for t in step} <= self._said.keys():
            self._answer(course)
        return [
            (
                [(t.example.student, self._said[t.example.id][0]) for t in step],
                self._teaching.distil([self._said[t.example.id][1] for t in step]),
            )
            for step in tries
        ]

    def _answer(self, course: Course) -> None:
        """All of a course at once: those that are answered together round each other's numbers, and a dream
        that is resumed must find the same ones together."""
        config, prompts = self._teaching.config, [self._teaching.prompt(d) for d in course.examples]
        seeds = [seed_of(config.seed, "answer", example.id) for example in course.examples]
        answers = self._teaching.answers(course, prompts, config.temperature, seeds)
        thoughts = self._teaching.thoughts(course, list(zip(prompts, answers, strict=True)))
        for example, answer, thought in zip(course.examples, answers, thoughts, strict=True):
            self._said[example.id] = answer, thought.clone()
