"""What a learning rule is, and what several of them do alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nightschool.config import LearnConfig
from nightschool.engines.base import GenerateRequest, PromptAnswer, Sampling, respond
from nightschool.learn import losses
from nightschool.learn.examples import Course, Example
from nightschool.learn.objectives import Distil, LossBatch
from nightschool.models.hf import HFModel
from nightschool.seeds import seed_of


@dataclass(frozen=True)
class Rollout:
    """An answer to learn on. `given` ones are the right answer instead of the student's try; of a try,
    `logprobs` are what the student that sampled it thought of its tokens."""

    example: Example
    answer: tuple[int, ...]
    given: bool
    logprobs: tuple[float, ...] = ()

    @property
    def pair(self) -> PromptAnswer:
        return self.example.student, self.answer


class Rule(Protocol):
    """What a learning rule is to the training loop."""

    def eligible(self, examples: Sequence[Example], step: int) -> Sequence[Example]:
        """Those it can practise at this step."""
        ...

    def rollouts(self, examples: Sequence[Sequence[Example]], student: str, step: int) -> list[list[Rollout]]:
        """The answers to the examples of `step` and of the steps after it."""
        ...

    def objectives(self, course: Course, tries: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        """For each step, what the student is to learn, and on which answers."""
        ...


@dataclass(frozen=True)
class RuleContext:
    """How is taught. A course's teacher and the live version are frozen for the whole dream."""

    model: HFModel
    live: str
    config: LearnConfig

    def sample(
        self, examples: Sequence[Sequence[Example]], student: str, step: int, each: int = 1
    ) -> list[list[Rollout]]:
        """The student's own answers, `each` of them to every example; those of all steps are sampled
        together, where a token is cheapest."""
        requests = [
            GenerateRequest(d.student, self._sampling(d, seed_of(self.config.seed, now, d.id, i)), student)
            for now, some in enumerate(examples, step)
            for d in some
            for i in range(each)
        ]
        said = iter(self.model.generate(requests, at_once=len(requests) or 1))
        return [
            [
                Rollout(d, tuple(answer.tokens), False, tuple(answer.logprobs))
                for d in some
                for _ in range(each)
                for answer in [next(said)]
            ]
            for some in examples
        ]

    def _sampling(self, example: Example, seed: int) -> Sampling:
        """What goes on far beyond the right answer went wrong long ago, and teaches no more."""
        longest = self.config.max_new_tokens
        limit = min(longest, len(example.answer) * 3 // 2 + 8) if example.answer else longest
        return Sampling(limit, self.config.temperature, seed=seed)

    def prompt(self, example: Example) -> tuple[int, ...]:
        """The teacher's, behind the course's prefix: with the right answer in it where that is to be used."""
        knowing = example.informed if self.config.opsd.reference_fraction > 0 else None
        return knowing or example.teacher

    def thoughts(self, course: Course, pairs: Sequence[PromptAnswer]) -> list[Tensor]:
        """The teacher's final hidden states [answer, width] that predict the answers' tokens."""
        return self.model.hidden(pairs, course.teacher, course.prefix) if pairs else []

    def answers(
        self,
        course: Course,
        prompts: Sequence[tuple[int, ...]],
        temperature: float = 0.0,
        seeds: Sequence[int] = (),
    ) -> list[tuple[int, ...]]:
        """The teacher's own answers, session in context: greedy, or sampled with a seed for each."""
        longest = self.config.max_new_tokens
        found = respond(
            self.model,
            prompts,
            course.teacher,
            longest,
            course.prefix,
            temperature=temperature,
            seeds=seeds,
        )
        return [tuple(generation.tokens) for generation in found]

    def distil(self, thoughts: Sequence[Tensor]) -> Distil:
        """Be like the teacher on all these answers."""
        opsd = self.config.opsd
        return Distil(torch.cat(list(thoughts)), losses.divergence(opsd.divergence, opsd.top_k))
