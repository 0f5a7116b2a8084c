"""One rule first, then another."""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.learn.drills import Course, Drill
from nightschool.learn.rules.common import Rule, Trajectory
from nightschool.learn.step import Batch


class Phases:
    """`first` until step `until`, `then` from there on (from the next steps that are sampled together)."""

    def __init__(self, first: Rule, then: Rule, until: int) -> None:
        self._first, self._then, self._until = first, then, until
        self._now = first

    def eligible(self, drills: Sequence[Drill], step: int) -> Sequence[Drill]:
        rule = self._first if step < self._until else self._then
        return rule.eligible(drills, step) or self._first.eligible(drills, step)

    def trajectories(
        self, drills: Sequence[Sequence[Drill]], student: str, step: int
    ) -> list[list[Trajectory]]:
        checked = all(d.checked for some in drills for d in some)
        self._now = self._first if step < self._until or not checked else self._then
        return self._now.trajectories(drills, student, step)

    def teach(self, course: Course, tries: Sequence[Sequence[Trajectory]]) -> list[Batch]:
        return self._now.teach(course, tries)
