"""What the student is to keep while it learns something new: unrelated requests, and earlier lessons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

from torch import Tensor

from nightschool.engines.base import PromptAnswer, respond
from nightschool.models.hf import HFModel
from nightschool.seeds import seed_of, shuffled

Prompt = tuple[int, ...]
NLL = Callable[[Sequence[PromptAnswer]], Sequence[float]]  # of each answer, in nats


@dataclass(frozen=True)
class Anchor:
    """A request, the answer that a version gave itself, and its final hidden states [answer, width]."""

    prompt: Prompt
    answer: tuple[int, ...]
    hidden_AW: Tensor


class AnchorPool:
    """Requests that have nothing to do with any session, on which the student is held to `version`.

    They are answered when first needed, several steps' worth together. Answers and hidden states are kept, so
    that later the distributions cost one pass through the output head.
    """

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

    SCORED = 2  # pairs scored per lesson to estimate how much it was hurt
    FLOOR = 0.05  # weight floor (nats), so that unhurt lessons are still rehearsed

    def __init__(self, lessons: Sequence[Sequence[PromptAnswer]], seed: int | str) -> None:
        """Each lesson is its pairs of (prompt, right answer); pairs without an answer are left out."""
        known = [[pair for pair in some if pair[1]] for some in lessons]
        self._lessons, self._seed = [some for some in known if some], seed

    def take(self, step: int, count: int, nll: NLL) -> list[PromptAnswer]:
        """`count` pairs, shuffled, for the round that begins at `step`; `nll` scores with the student as it
        is then."""
        if not self._lessons or not count:
            return []
        turns = [shuffled(some, self._seed, step) for some in self._lessons]
        scored = [turn[: self.SCORED] for turn in turns]
        nats = iter(nll([pair for some in scored for pair in some]))
        hurt = [self.FLOOR + mean(next(nats) for _ in some) for some in scored]
        parts = zip(turns, apportioned(hurt, count), strict=True)
        return shuffled([turn[i % len(turn)] for turn, part in parts for i in range(part)], step)


def apportioned(weights: Sequence[float], count: int) -> list[int]:
    """`count` places by weight (the method of D'Hondt)."""
    parts = [0] * len(weights)
    for _ in range(count):
        most = max(range(len(weights)), key=lambda i: weights[i] / (parts[i] + 1))
        parts[most] += 1
    return parts


def _turn(step: int, count: int, length: int) -> list[int]:
    """Which `count` places of an order a step takes: one after the other, and from the start again."""
    return [i % length for i in range(step * count, (step + 1) * count)] if length else []
