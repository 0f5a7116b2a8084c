"""Supervised fine-tuning on the transcript: the student is to say what was said. Here to compare with.

loss = mean over tokens of -log student(y_t | the session until then, y<t),
y the session's answers, each where it was given
"""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.learn.examples import Example, PracticeSet
from nightschool.learn.objectives import Imitate, LossBatch
from nightschool.learn.rollouts import Rollout
from nightschool.learn.rule import RuleContext


class SFT:
    """Fine-tuning on the session's own answers."""

    def __init__(self, context: RuleContext) -> None:
        pass

    def eligible(self, examples: Sequence[Example], step: int) -> Sequence[Example]:
        return [e for e in examples if e.kind in ("recorded", "replayed") and e.answer]

    def rollouts(self, examples: Sequence[Sequence[Example]], student: str, step: int) -> list[list[Rollout]]:
        return [[Rollout(e, e.answer, is_reference=True) for e in batch if e.answer] for batch in examples]

    def objectives(self, practice: PracticeSet, rollouts: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        return [([r.pair for r in step], Imitate([r.answer for r in step])) for step in rollouts]


RULE = SFT
