"""Rollout-refined distillation: what the student did wrong is mended first, then learned.

After a try's first mistake a teacher only grades a doomed beginning. So the teacher refines the try:

    rewrite     the teacher, shown the request and the try, writes the whole answer anew (arXiv 2606.08432)
    from_error  what the student said before its first mistake stays (it is on-policy); from the first token
                that the teacher strongly rejects, the teacher goes on

    loss = mean over the refined answer's tokens of KL( teacher(. | what it saw) || student(. | request) ),
    forward and over the full vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nightschool.engines.base import PromptAnswer
from nightschool.learn.examples import Course
from nightschool.learn.losses import forward_kl
from nightschool.learn.objectives import Distil, LossBatch
from nightschool.learn.rules.common import Rollout, RuleContext
from nightschool.learn.rules.opsd import OPSD
from nightschool.models.hf import HFModel
from nightschool.types import Message

REJECTED = 0.1  # of the likeliest token's probability: a token below that is a mistake
_REWRITE = "Write that answer again, the way it should be. Answer with nothing else."


class _Refining(OPSD):
    """Samples as on-policy self-distillation does, and learns on refined answers."""

    def objectives(self, course: Course, tries: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        pairs = self._refine(course, [t for step in tries for t in step])
        refined = iter(zip(pairs, self._teaching.thoughts(course, pairs), strict=True))
        batches: list[LossBatch] = []
        for step in tries:
            mine = [(t.example.student, *next(refined)) for t in step]
            learned = Distil(torch.cat([thought for _, _, thought in mine]), forward_kl)
            batches.append(([(student, answer) for student, (_, answer), _ in mine], learned))
        return batches

    def _refine(self, course: Course, tries: Sequence[Rollout]) -> list[PromptAnswer]:
        """The teacher's prompt for each refined answer, and that answer."""
        raise NotImplementedError


class Rewrite(_Refining):
    """The teacher writes the whole answer anew."""

    def __init__(self, teaching: RuleContext) -> None:
        super().__init__(teaching)
        self._then = _next_turn(teaching.model, _REWRITE)

    def _refine(self, course: Course, tries: Sequence[Rollout]) -> list[PromptAnswer]:
        prompts = [
            self._teaching.prompt(t.example)
            if t.given
            else (*self._teaching.prompt(t.example), *_ended(t.answer, self._teaching.model), *self._then)
            for t in tries
        ]
        written = iter(
            self._teaching.answers(
                course, [p for p, t in zip(prompts, tries, strict=True) if not t.given], 0.0
            )
        )
        return [(p, t.answer if t.given else next(written)) for p, t in zip(prompts, tries, strict=True)]


class FromError(_Refining):
    """The teacher goes on from the student's first mistake."""

    def _refine(self, course: Course, tries: Sequence[Rollout]) -> list[PromptAnswer]:
        prompts = [self._teaching.prompt(t.example) for t in tries]
        own = [i for i, t in enumerate(tries) if not t.given]
        thoughts = self._teaching.thoughts(course, [(prompts[i], tries[i].answer) for i in own])
        sound = {
            i: first_mistake(self._teaching.model.logits(thought), tries[i].answer)
            for i, thought in zip(own, thoughts, strict=True)
        }
        cut = {i: tries[i].answer[:n] for i, n in sound.items() if n < len(tries[i].answer)}
        onward = self._teaching.answers(course, [(*prompts[i], *kept) for i, kept in cut.items()], 0.0)
        mended = {i: (*kept, *more) for (i, kept), more in zip(cut.items(), onward, strict=True)}
        return [(prompts[i], mended.get(i, t.answer)) for i, t in enumerate(tries)]


def first_mistake(teacher_AV: Tensor, answer: Sequence[int]) -> int:
    """How many of an answer's tokens come before the first one that the teacher strongly rejects."""
    p_AV = teacher_AV.float().softmax(-1)
    said_A = p_AV.gather(1, torch.tensor(list(answer), device=p_AV.device)[:, None])[:, 0]
    wrong = (said_A < REJECTED * p_AV.amax(-1)).nonzero()
    return int(wrong[0]) if len(wrong) else len(answer)


def _ended(answer: tuple[int, ...], model: HFModel) -> tuple[int, ...]:
    return answer if answer and answer[-1] in model.eos else (*answer, model.eos[0])


def _next_turn(model: HFModel, text: str) -> tuple[int, ...]:
    """The tokens from the end of an answer to the beginning of the next, `text` being said between them."""
    said = [Message("user", "x"), Message("assistant", "y")]
    ends = [i for i, t in enumerate(model.encode(said, generate=False)) if t in model.eos]
    return tuple(model.encode([*said, Message("user", text)])[ends[-1] + 1 :])
