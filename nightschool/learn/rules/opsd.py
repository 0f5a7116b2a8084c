"""On-policy self-distillation: the model with the session in its context teaches itself without it.

For trajectories y that the student itself sampled:
    loss = mean over tokens of D( teacher(. | session, request, y<t) || student(. | request, y<t) )
(arXiv 2306.13649 for on-policy distillation; the teacher here is the same model, better informed, and
corrected where the right answer is known: learn/correction.py.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from nightschool.learn.correction import until_mistake
from nightschool.learn.examples import Example, PracticeSet
from nightschool.learn.objectives import LossBatch
from nightschool.learn.rollouts import Rollout
from nightschool.learn.rule import RuleContext


class OPSD:
    """On-policy self-distillation."""

    def __init__(self, context: RuleContext) -> None:
        self._context = context

    def eligible(self, examples: Sequence[Example], step: int) -> Sequence[Example]:
        return examples

    def rollouts(self, examples: Sequence[Sequence[Example]], student: str, step: int) -> list[list[Rollout]]:
        """The reference for the reference fraction of the examples that have one (for all of them in the
        reference steps), the student's own answer for the others."""
        referred = [self._references(batch, step + i) for i, batch in enumerate(examples)]
        ids = [{r.example.id for r in batch} for batch in referred]
        open_ = [[e for e in batch if e.id not in known] for batch, known in zip(examples, ids, strict=True)]
        sampled = self._context.sample(open_, student, step)
        return [references + own for references, own in zip(referred, sampled, strict=True)]

    def _references(self, examples: Sequence[Example], step: int) -> list[Rollout]:
        config = self._context.config.opsd
        fraction = config.reference_fraction
        if fraction and step < config.reference_steps:
            fraction = 1.0
        found = [Rollout(e, e.answer, is_reference=True) for e in examples if e.answer]
        return found[: round(fraction * len(found))]

    def objectives(self, practice: PracticeSet, rollouts: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        if self._context.uses_known:
            rollouts = [[until_mistake(r) for r in step] for step in rollouts]
        hidden = self._hidden(practice, [r for step in rollouts for r in step])
        return [
            (
                [r.pair for r in step],
                self._context.distil([(r.example, r.answer, next(hidden)) for r in step]),
            )
            for step in rollouts
        ]

    def _hidden(self, practice: PracticeSet, rollouts: Sequence[Rollout]) -> Iterator[Tensor]:
        """The teacher's hidden states for each. It is frozen: those of a reference were computed when the
        example was admitted."""
        known = [r.example.teacher_hidden_AW if r.is_reference else None for r in rollouts]
        new = [r for r, hidden_AW in zip(rollouts, known, strict=True) if hidden_AW is None]
        pairs = [(r.example.teacher, r.answer) for r in new]
        computed = iter(self._context.teacher_hidden(practice, pairs))
        return (next(computed) if hidden_AW is None else hidden_AW for hidden_AW in known)


RULE = OPSD
