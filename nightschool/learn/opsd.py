"""On-policy self-distillation: the model with the session in its context teaches itself without it.

For trajectories y that the student itself sampled:
    loss = mean over tokens of D( teacher(. | session, request, y<t) || student(. | request, y<t) )
(arXiv 2306.13649 for on-policy distillation; the teacher here is the same model, better informed.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nightschool.config import LearnConfig
from nightschool.learn.drills import Course, Drill
from nightschool.learn.losses import Divergence
from nightschool.learn.step import Distil
from nightschool.models.base import GenerateRequest, Sampling, generate
from nightschool.models.hf import HFModel


@dataclass(frozen=True)
class Trajectory:
    """An answer to learn on. `given` ones are the right answer instead of the student's try."""

    drill: Drill
    answer: tuple[int, ...]
    given: bool


class OPSD:
    """The rule. The teacher is `teacher_version`, frozen for the whole dream."""

    def __init__(
        self,
        model: HFModel,
        *,
        teacher_version: str,
        divergence: Divergence,
        config: LearnConfig,
    ) -> None:
        self._model, self._teacher_version, self._divergence = model, teacher_version, divergence
        self._config = config
        self._given_hidden: dict[str, Tensor] = {}  # frozen teacher, fixed answer: scored once a dream

    def trajectories(
        self, drills: Sequence[Sequence[Drill]], student: str, step: int
    ) -> list[list[Trajectory]]:
        """For the drills of `step` and of those after it: the right answer for the informed share of those
        that have one (for all of them while warming up), a try of the student for the others. The tries of
        all steps are sampled together."""
        given = [{d.id for d in self._given(some, step + i)} for i, some in enumerate(drills)]
        tries = [d for some, known in zip(drills, given, strict=True) for d in some if d.id not in known]
        seed = (self._config.seed * 1_000_003 + step) * 1_009
        requests = [
            GenerateRequest(
                d.student, Sampling(self._limit(d), self._config.temperature, seed=seed + i), student
            )
            for i, d in enumerate(tries)
        ]
        sampled = iter(generate(self._model, requests, at_once=len(requests) or 1))
        return [
            [Trajectory(d, d.answer, True) for d in some if d.id in known and d.answer]
            + [Trajectory(d, tuple(next(sampled).tokens), False) for d in some if d.id not in known]
            for some, known in zip(drills, given, strict=True)
        ]

    def _given(self, drills: Sequence[Drill], step: int) -> Sequence[Drill]:
        share = self._config.informed_share
        if share and step < self._config.warm_up:
            share = 1.0
        knowing = [d for d in drills if d.answer]
        return knowing[: round(share * len(knowing))]

    @torch.no_grad()
    def teach(self, course: Course, tries: Sequence[Sequence[Trajectory]]) -> list[Distil]:
        """What the teacher thinks at every token of each step's trajectories."""
        new = [t for step in tries for t in step if not (t.given and t.drill.id in self._given_hidden)]
        pairs = [(self._teacher_prompt(t.drill), t.answer) for t in new]
        adapter = self._model.adapter(self._teacher_version)
        hidden = self._model.answers_hidden(pairs, adapter, course.prefix) if pairs else []
        scored = {id(t): h for t, h in zip(new, hidden, strict=True)}
        # A copy, or the dream would keep whole packed forwards alive.
        self._given_hidden |= {t.drill.id: scored[id(t)].clone() for t in new if t.given}
        known = self._given_hidden

        def thought(t: Trajectory) -> Tensor:
            return scored[id(t)] if id(t) in scored else known[t.drill.id]

        return [Distil(torch.cat([thought(t) for t in step]), self._divergence) for step in tries]

    def _limit(self, drill: Drill) -> int:
        """Longest try: what goes on far beyond the right answer went wrong long ago, and teaches no more."""
        longest = self._config.max_new_tokens
        return min(longest, len(drill.answer) * 3 // 2 + 8) if drill.answer else longest

    def _teacher_prompt(self, drill: Drill) -> tuple[int, ...]:
        informed = self._config.informed_share > 0 and drill.informed is not None
        return drill.informed if informed and drill.informed else drill.teacher
