"""What a learning rule is, and the context it works in. docs/adding-a-rule.md walks through one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nightschool.config import LearnConfig
from nightschool.engines.base import GenerateRequest, PromptAnswer, Sampling, respond
from nightschool.learn import losses
from nightschool.learn.correction import UNKNOWN, right_next
from nightschool.learn.examples import Example, PracticeSet
from nightschool.learn.losses import Divergence
from nightschool.learn.objectives import Distil, LossBatch
from nightschool.learn.rollouts import Rollout
from nightschool.models.hf import HFModel
from nightschool.seeds import seed_of


class Rule(Protocol):
    """A learning rule. For each round of steps the trainer calls the three methods in this order, then takes
    the steps one by one; the student does not change in between, and teachers never do."""

    def eligible(self, examples: Sequence[Example], step: int) -> Sequence[Example]:
        """Those of a set's examples that the rule can practise at this step; a batch is drawn from them."""
        ...

    def rollouts(self, examples: Sequence[Sequence[Example]], student: str, step: int) -> list[list[Rollout]]:
        """Answers to the batches of `step` and the steps after it; `student` is the version to sample."""
        ...

    def objectives(self, practice: PracticeSet, rollouts: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        """For each step's rollouts (all of examples from `practice`), what the student is to learn from
        them: one objective a step."""
        ...


@dataclass(frozen=True)
class RuleContext:
    """What every rule works with: the model, the live version's name, and the settings. The live version and
    each set's teacher are frozen for the whole dream."""

    model: HFModel
    live: str
    config: LearnConfig

    @property
    def uses_known(self) -> bool:
        """Whether known right answers may be used in teaching."""
        return self.config.opsd.reference_fraction > 0

    def sample(
        self, examples: Sequence[Sequence[Example]], student: str, step: int, each: int = 1
    ) -> list[list[Rollout]]:
        """The student's own answers, `each` of them to every example; those of all steps are sampled
        together, where a token is cheapest."""
        requests = [
            GenerateRequest(e.student, self._sampling(e, seed_of(self.config.seed, now, e.id, i)), student)
            for now, batch in enumerate(examples, step)
            for e in batch
            for i in range(each)
        ]
        generations = iter(self.model.generate(requests, at_once=len(requests) or 1))
        return [
            [
                Rollout(e, tuple(answer.tokens), logprobs=tuple(answer.logprobs))
                for e in batch
                for _ in range(each)
                for answer in [next(generations)]
            ]
            for batch in examples
        ]

    def _sampling(self, example: Example, seed: int) -> Sampling:
        """Half as long again as the reference, and a few tokens: what goes on beyond that went wrong long ago
        and teaches no more. (Chosen, not measured.)"""
        longest = self.config.max_new_tokens
        limit = min(longest, len(example.answer) * 3 // 2 + 8) if example.answer else longest
        return Sampling(limit, self.config.temperature, seed=seed)

    def teacher_hidden(self, practice: PracticeSet, pairs: Sequence[PromptAnswer]) -> list[Tensor]:
        """The teacher's final hidden states [answer, width] that predict the answers' tokens."""
        return self.model.hidden(pairs, practice.teacher, practice.prefix) if pairs else []

    def answers(
        self,
        practice: PracticeSet,
        prompts: Sequence[tuple[int, ...]],
        temperature: float = 0.0,
        seeds: Sequence[int] = (),
    ) -> list[tuple[int, ...]]:
        """The teacher's own answers, session in context: greedy, or sampled with a seed for each."""
        generations = respond(
            self.model,
            prompts,
            practice.teacher,
            self.config.max_new_tokens,
            practice.prefix,
            temperature=temperature,
            seeds=seeds,
        )
        return [tuple(generation.tokens) for generation in generations]

    def right(self, taught: Sequence[tuple[Example, Sequence[int]]]) -> Tensor:
        """The right token at each place of these answers, or UNKNOWN [tokens of all answers]."""
        tokens = [t if self.uses_known else UNKNOWN for e, answer in taught for t in right_next(e, answer)]
        return torch.tensor(tokens, device=self.model.device)

    def distil(
        self, taught: Sequence[tuple[Example, Sequence[int], Tensor]], divergence: Divergence | None = None
    ) -> Distil:
        """The objective to be like the teacher, corrected, on all these answers: each with its example and
        the teacher's hidden states that predict it. The divergence is that of the settings by default."""
        opsd = self.config.opsd
        return Distil(
            torch.cat([hidden_AW for _, _, hidden_AW in taught]),
            divergence or losses.divergence(opsd.divergence, opsd.top_k),
            right_N=self.right([(example, answer) for example, answer, _ in taught]),
        )
