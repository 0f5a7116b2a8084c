"""Supervised fine-tuning on the transcript: the student is to say what was said. Here to compare with.

loss = mean over tokens of -log student(y_t | the session until then, y<t),
y the session's answers, each where it was given
"""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.learn.examples import Course, Example
from nightschool.learn.objectives import Imitate, LossBatch
from nightschool.learn.rules.common import Rollout, RuleContext


class SFT:
    """The rule."""

    def __init__(self, teaching: RuleContext) -> None:
        self._teaching = teaching

    def eligible(self, examples: Sequence[Example], step: int) -> Sequence[Example]:
        return [d for d in examples if d.kind in ("recorded", "replayed") and d.answer]

    def rollouts(self, examples: Sequence[Sequence[Example]], student: str, step: int) -> list[list[Rollout]]:
        return [[Rollout(d, d.answer, True) for d in some if d.answer] for some in examples]

    def objectives(self, course: Course, tries: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        return [([t.pair for t in step], Imitate([t.answer for t in step])) for step in tries]
