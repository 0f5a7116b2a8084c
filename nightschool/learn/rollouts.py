"""What the student did with an example: sampled answers, and episodes with their rewards."""

from __future__ import annotations

from dataclasses import dataclass

from nightschool.engines.base import PromptAnswer
from nightschool.learn.examples import Example


@dataclass(frozen=True)
class Rollout:
    """An answer to learn on: sampled by the student, with the log-probability (nats) that the student gave
    each token, or (`is_reference`) the example's reference answer in its place."""

    example: Example
    answer: tuple[int, ...]
    is_reference: bool = False
    logprobs: tuple[float, ...] = ()

    @property
    def pair(self) -> PromptAnswer:
        return self.example.student, self.answer


@dataclass(frozen=True)
class Turn:
    """One answer that the student sampled, the prompt it stood behind, and its log-probabilities (nats)."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    logprobs: tuple[float, ...]


@dataclass(frozen=True)
class Episode:
    """The turns that the student took with one example, and what its verifier says of how they ended."""

    example_id: str
    turns: tuple[Turn, ...]
    reward: float

    @classmethod
    def of(cls, rollout: Rollout) -> Episode:
        """A single answer, verified. Raises ValueError where the example has no verifier."""
        turn = Turn(rollout.example.student, rollout.answer, rollout.logprobs)
        return cls(rollout.example.id, (turn,), rollout.example.verify(rollout.answer))
