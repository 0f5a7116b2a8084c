"""On-policy self-distillation: the model with the session in its context teaches itself without it.

For trajectories y that the student itself sampled:
    loss = mean over tokens of D( teacher(. | session, request, y<t) || student(. | request, y<t) )
(arXiv 2306.13649 for on-policy distillation; the teacher here is the same model, better informed.)
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from nightschool.learn.examples import Course, Example
from nightschool.learn.objectives import LossBatch
from nightschool.learn.rules.common import Rollout, RuleContext


class OPSD:
    """The rule."""

    def __init__(self, teaching: RuleContext) -> None:
        self._teaching = teaching

    def eligible(self, examples: Sequence[Example], step: int) -> Sequence[Example]:
        return examples

    def rollouts(self, examples: Sequence[Sequence[Example]], student: str, step: int) -> list[list[Rollout]]:
        """The right answer for the reference fraction of the examples that have one (for all of them in the
        reference steps), a try of the student for the others."""
        given = [{d.id for d in self._given(some, step + i)} for i, some in enumerate(examples)]
        open_ = [[d for d in some if d.id not in known] for some, known in zip(examples, given, strict=True)]
        tried = self._teaching.sample(open_, student, step)
        return [
            [Rollout(d, d.answer, True) for d in some if d.id in known and d.answer] + own
            for some, known, own in zip(examples, given, tried, strict=True)
        ]

    def _given(self, examples: Sequence[Example], step: int) -> Sequence[Example]:
        config = self._teaching.config.opsd
        share = config.reference_fraction
        if share and step < config.reference_steps:
            share = 1.0
        knowing = [d for d in examples if d.answer]
        return knowing[: round(share * len(knowing))]

    def objectives(self, course: Course, tries: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        new = [t for step in tries for t in step if not t.given or t.example.teacher_hidden_AW is None]
        pairs = [(self._teaching.prompt(t.example), t.answer) for t in new]
        scored = dict(zip(map(id, new), self._teaching.thoughts(course, pairs), strict=True))

        def thought(t: Rollout) -> Tensor:
            # The teacher is frozen: what it thinks of a right answer was asked when that was admitted.
            known = scored.get(id(t), t.example.teacher_hidden_AW)
            assert known is not None
            return known

        return [([t.pair for t in step], self._teaching.distil([thought(t) for t in step])) for step in tries]
