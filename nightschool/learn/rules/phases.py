"""One rule first, then another."""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.learn.examples import Course, Example
from nightschool.learn.objectives import LossBatch
from nightschool.learn.rules.common import Rollout, Rule


class Phases:
    """`first` until step `until`, `then` from there on (from the next steps that are sampled together)."""

    def __init__(self, first: Rule, then: Rule, until: int) -> None:
        self._first, self._then, self._until = first, then, until
        self._now = first

    def eligible(self, examples: Sequence[Example], step: int) -> Sequence[Example]:
        rule = self._first if step < self._until else self._then
        return rule.eligible(examples, step) or self._first.eligible(examples, step)

    def rollouts(self, examples: Sequence[Sequence[Example]], student: str, step: int) -> list[list[Rollout]]:
        checked = all(d.checked for some in examples for d in some)
        self._now = self._first if step < self._until or not checked else self._then
        return self._now.rollouts(examples, student, step)

    def objectives(self, course: Course, tries: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        return self._now.objectives(course, tries)
