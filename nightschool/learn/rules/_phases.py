"""One rule first, then another: `learn.rule` names the two with a `+` between them."""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.learn.examples import Example, PracticeSet
from nightschool.learn.objectives import LossBatch
from nightschool.learn.rollouts import Rollout
from nightschool.learn.rule import Rule


class Phases:
    """`first` until step `until`, `then` from there on. A round in which `then` can practise nothing is left
    to `first`."""

    def __init__(self, first: Rule, then: Rule, until: int) -> None:
        self._first, self._then, self._until = first, then, until
        self._now = first

    def eligible(self, examples: Sequence[Example], step: int) -> Sequence[Example]:
        rule = self._first if step < self._until else self._then
        return rule.eligible(examples, step) or self._first.eligible(examples, step)

    def rollouts(self, examples: Sequence[Sequence[Example]], student: str, step: int) -> list[list[Rollout]]:
        drawn = [e for batch in examples for e in batch]
        able = len(self._then.eligible(drawn, step)) == len(drawn)
        self._now = self._first if step < self._until or not able else self._then
        return self._now.rollouts(examples, student, step)

    def objectives(self, practice: PracticeSet, rollouts: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        return self._now.objectives(practice, rollouts)
