"""Trajectory-refined distillation by rewriting: the teacher, shown the request and the student's answer,
writes the whole answer anew (arXiv 2606.08432)."""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.engines.base import PromptAnswer
from nightschool.learn.examples import PracticeSet
from nightschool.learn.rollouts import Rollout
from nightschool.learn.rule import RuleContext
from nightschool.learn.rules._refining import Refining
from nightschool.models.hf import HFModel
from nightschool.types import Message

_REWRITE = "Write that answer again, the way it should be. Answer with nothing else."


class Rewrite(Refining):
    """The teacher writes the whole answer anew."""

    def __init__(self, context: RuleContext) -> None:
        super().__init__(context)
        self._ask_again = _next_turn(context.model, _REWRITE)

    def refine(self, practice: PracticeSet, rollouts: Sequence[Rollout]) -> list[PromptAnswer]:
        prompts = [self._prompt(r) for r in rollouts]
        sampled = [p for p, r in zip(prompts, rollouts, strict=True) if not r.is_reference]
        written = iter(self._context.answers(practice, sampled))
        return [
            (p, r.answer if r.is_reference else next(written)) for p, r in zip(prompts, rollouts, strict=True)
        ]

    def _prompt(self, rollout: Rollout) -> tuple[int, ...]:
        prompt = self.informed(rollout.example)
        if rollout.is_reference:
            return prompt
        return *prompt, *_ended(rollout.answer, self._context.model), *self._ask_again


def _ended(answer: tuple[int, ...], model: HFModel) -> tuple[int, ...]:
    return answer if answer and answer[-1] in model.eos else (*answer, model.eos[0])


def _next_turn(model: HFModel, text: str) -> tuple[int, ...]:
    """The tokens from the end of one answer to the beginning of the next, `text` being said between them."""
    before = [Message("user", "x"), Message("assistant", "y")]
    ends = [i for i, t in enumerate(model.encode(before, generate=False)) if t in model.eos]
    return tuple(model.encode([*before, Message("user", text)])[ends[-1] + 1 :])


RULE = Rewrite
