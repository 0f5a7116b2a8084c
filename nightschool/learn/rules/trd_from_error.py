"""Trajectory-refined distillation from the first mistake: what the student said before it stays, which is
on-policy; from the first token that the teacher strongly rejects, the teacher goes on (ours)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nightschool.engines.base import PromptAnswer
from nightschool.learn.correction import corrected
from nightschool.learn.examples import PracticeSet
from nightschool.learn.rollouts import Rollout
from nightschool.learn.rules._refining import Refining

# A token with less than this share of the most probable token's probability is a mistake. (Chosen, not
# measured: a fifth still is another way to say it.)
REJECTED = 0.1


class FromError(Refining):
    """The teacher goes on from the student's first mistake."""

    def refine(self, practice: PracticeSet, rollouts: Sequence[Rollout]) -> list[PromptAnswer]:
        context = self._context
        prompts = [self.informed(r.example) for r in rollouts]
        own = [i for i, r in enumerate(rollouts) if not r.is_reference]
        hidden = context.teacher_hidden(practice, [(prompts[i], rollouts[i].answer) for i in own])
        sound = {
            i: first_mistake(
                corrected(
                    context.model.logits(hidden_AW),
                    context.right([(rollouts[i].example, rollouts[i].answer)]),
                ),
                rollouts[i].answer,
            )
            for i, hidden_AW in zip(own, hidden, strict=True)
        }
        kept = {i: rollouts[i].answer[:n] for i, n in sound.items() if n < len(rollouts[i].answer)}
        continued = context.answers(practice, [(*prompts[i], *start) for i, start in kept.items()])
        mended = {i: (*start, *rest) for (i, start), rest in zip(kept.items(), continued, strict=True)}
        return [(prompts[i], mended.get(i, r.answer)) for i, r in enumerate(rollouts)]


def first_mistake(teacher_AV: Tensor, answer: Sequence[int]) -> int:
    """How many of an answer's tokens come before the first one that the teacher strongly rejects."""
    p_AV = teacher_AV.float().softmax(-1)
    p_answer_A = p_AV.gather(1, torch.tensor(list(answer), device=p_AV.device)[:, None])[:, 0]
    wrong = (p_answer_A < REJECTED * p_AV.amax(-1)).nonzero()
    return int(wrong[0]) if len(wrong) else len(answer)


RULE = FromError
