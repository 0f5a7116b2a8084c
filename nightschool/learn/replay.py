"""What the student is to keep while it learns something new: unrelated requests, and earlier lessons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import mean
from typing import TypeVar

from torch import Tensor

from nightschool.engines.base import PromptAnswer, respond
from nightschool.models.hf import HFModel
from nightschool.seeds import seed_of, shuffled

Prompt = tuple[int, ...]
Surprise = Callable[[Sequence[PromptAnswer]], Sequence[float]]  # -log q(answer | prompt) of each, in nats
_T = TypeVar("_T")


@dataclass(frozen=True)
class Anchor:
    """A request, the answer that a version gave itself, and its final hidden states [answer, width]."""

    prompt: Prompt
    answer: tuple[int, ...]
    hidden_AW: Tensor


class AnchorPool:
    """Requests that have nothing to do with any session, where the student is to stay like `version`. It
    answers them when they are first needed, several steps' worth together, and what it thought is kept: its
    distributions cost one pass through the output head from then on."""

    CHUNK = 32  # requests answered together

    def __init__(
        self, model: HFModel, version: str, prompts: Sequence[Prompt], *, max_tokens: int, seed: int
    ) -> None:
        self._model, self._version, self._max_tokens, self._seed = model, version, max_tokens, seed
        self._order = shuffled(prompts, seed)
        self._known: list[Anchor] = []

    def take(self, step: int, count: int) -> list[Anchor]:
        """The anchors of a step (any step, in any order: a resumed dream sees the same ones)."""
        wanted = _turn(step, count, len(self._order))
        while wanted and max(wanted) >= len(self._known):
            self._answer_more()
        return [self._known[i] for i in wanted]

    def _answer_more(self) -> None:
        start = len(self._known)
        prompts = self._order[start : start + self.CHUNK]
        found = respond(
            self._model,
            prompts,
            self._version,
            self._max_tokens,
            temperature=1.0,
            seeds=[seed_of(self._seed, prompt) for prompt in prompts],
            at_once=self.CHUNK,
        )
        pairs = [(p, tuple(g.tokens)) for p, g in zip(prompts, found, strict=True)]
        hidden = self._model.hidden(pairs, self._version)
        self._known += [Anchor(p, a, h) for (p, a), h in zip(pairs, hidden, strict=True)]


class Rehearsal:
    """Requests of earlier lessons with their right answers (experience replay, arXiv 1811.11682). To be like
    the live version there would keep its mistakes, too, and let them grow night after night.

    What the night hurts most is rehearsed most: a new lesson takes most from those that are like it (as in
    maximally interfered retrieval, arXiv 1908.04742, but by lesson, and without a step that is only tried).
    """

    ASKED = 2  # pairs of a lesson by which it is seen how it fares
    CALM = 0.05  # nats: what is as good as ever comes up now and then, too

    def __init__(self, lessons: Sequence[Sequence[PromptAnswer]], seed: int | str) -> None:
        """`lessons` of (prompt, answer)."""
        known = [[pair for pair in some if pair[1]] for some in lessons]
        self._lessons, self._seed = [some for some in known if some], seed

    def take(self, step: int, count: int, surprise: Surprise) -> list[PromptAnswer]:
        """`count` pairs for a round that begins with `step`, mixed; `surprise` is the student's then."""
        if not self._lessons or not count:
            return []
        turns = [shuffled(some, self._seed, step) for some in self._lessons]
        asked = [turn[: self.ASKED] for turn in turns]
        nats = iter(surprise([pair for some in asked for pair in some]))
        hurt = [self.CALM + mean(next(nats) for _ in some) for some in asked]
        parts = zip(turns, apportioned(hurt, count), strict=True)
        return shuffled([turn[i % len(turn)] for turn, part in parts for i in range(part)], step)


def apportioned(weights: Sequence[float], count: int) -> list[int]:
    """`count` places by weight (the method of D'Hondt)."""
    parts = [0] * len(weights)
    for _ in range(count):
        most = max(range(len(weights)), key=lambda i: weights[i] / (parts[i] + 1))
        parts[most] += 1
    return parts


def in_turns(lessons: Sequence[Sequence[_T]]) -> list[_T]:
    """The first of each lesson, the second of each, and so on."""
    return [item for turn in zip_longest(*lessons) for item in turn if item is not None]


def _turn(step: int, count: int, length: int) -> list[int]:
    """Which `count` places of an order a step takes: one after the other, and from the start again."""
    return [i % length for i in range(step * count, (step + 1) * count)] if length else []
