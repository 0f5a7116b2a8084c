"""Supervised fine-tuning on the transcript: the student is to say what was said. Here to compare with.

loss = mean over tokens of -log student(y_t | the session until then, y<t),
y the session's answers, each where it was given
"""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.learn.drills import Course, Drill
from nightschool.learn.rules.common import Teaching, Trajectory
from nightschool.learn.step import Batch, Imitate


class SFT:
    """The rule."""

    def __init__(self, teaching: Teaching) -> None:
        self._teaching = teaching

    def eligible(self, drills: Sequence[Drill], step: int) -> Sequence[Drill]:
        return [d for d in drills if d.kind in ("recorded", "replayed") and d.answer]

    def trajectories(
        self, drills: Sequence[Sequence[Drill]], student: str, step: int
    ) -> list[list[Trajectory]]:
        return [[Trajectory(d, d.answer, True) for d in some if d.answer] for some in drills]

    def teach(self, course: Course, tries: Sequence[Sequence[Trajectory]]) -> list[Batch]:
        return [([t.pair for t in step], Imitate([t.answer for t in step])) for step in tries]
