"""Off-policy context distillation (arXiv 2209.15189): the teacher answers, the student learns to answer so.

loss = mean over tokens of KL( teacher(. | session, request, y<t) || student(. | request, y<t) ),
y sampled by the teacher
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from nightschool.learn.drills import Course, Drill
from nightschool.learn.rules.common import Teaching, Trajectory
from nightschool.learn.step import Batch
from nightschool.seeds import seed_of


class CD:
    """The rule. The teacher answers each drill once a dream."""

    def __init__(self, teaching: Teaching) -> None:
        self._teaching = teaching
        self._said: dict[str, tuple[tuple[int, ...], Tensor]] = {}

    def eligible(self, drills: Sequence[Drill], step: int) -> Sequence[Drill]:
        return drills

    def trajectories(
        self, drills: Sequence[Sequence[Drill]], student: str, step: int
    ) -> list[list[Trajectory]]:
        """None of the student's: `teach` has the answers."""
        return [[Trajectory(d, (), True) for d in some] for some in drills]

    def teach(self, course: Course, tries: Sequence[Sequence[Trajectory]]) -> list[Batch]:
        if not {t.drill.id for step in tries for t in step} <= self._said.keys():
            self._answer(course)
        return [
            (
                [(t.drill.student, self._said[t.drill.id][0]) for t in step],
                self._teaching.distil([self._said[t.drill.id][1] for t in step]),
            )
            for step in tries
        ]

    def _answer(self, course: Course) -> None:
        """All of a course at once: those that are answered together round each other's numbers, and a dream
        that is resumed must find the same ones together."""
        config, prompts = self._teaching.config, [self._teaching.prompt(d) for d in course.drills]
        seeds = [seed_of(config.seed, "answer", drill.id) for drill in course.drills]
        answers = self._teaching.answers(course, prompts, config.temperature, seeds)
        thoughts = self._teaching.thoughts(course, list(zip(prompts, answers, strict=True)))
        for drill, answer, thought in zip(course.drills, answers, thoughts, strict=True):
            self._said[drill.id] = answer, thought.clone()
