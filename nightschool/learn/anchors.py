"""Anchors: requests that have nothing to do with the session, where the student is to stay what it was."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nightschool.models.base import GenerateRequest, Sampling, generate
from nightschool.models.hf import HFModel


@dataclass(frozen=True)
class Anchor:
    """A request, the live version's own answer, and its final hidden states [answer, width]."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    hidden_AD: Tensor


class AnchorPool:
    """Answers anchors when they are first needed, several steps' worth together, and keeps what the live
    version thought: its distributions cost one pass through the output head from then on."""

    CHUNK = 32  # requests answered together

    def __init__(
        self,
        model: HFModel,
        version: str,
        groups: Sequence[Sequence[tuple[int, ...]]],
        *,
        max_tokens: int,
        seed: int,
    ) -> None:
        """`groups` of prompts (general ones; each earlier lesson's) take turns, so none is drowned."""
        self._model, self._version, self._max_tokens, self._seed = model, version, max_tokens, seed
        self._order = _interleave([_shuffled(group, seed) for group in groups if group])
        self._known: list[Anchor] = []

    def __len__(self) -> int:
        return len(self._order)

    def take(self, step: int, count: int) -> list[Anchor]:
        """The anchors of a step (any step, in any order: a resumed dream sees the same ones)."""
        if not self._order:
            return []
        wanted = [i % len(self._order) for i in range(step * count, (step + 1) * count)]
        while wanted and max(wanted) >= len(self._known):
            self._answer_more()
        return [self._known[i] for i in wanted]

    def _answer_more(self) -> None:
        start = len(self._known)
        prompts = self._order[start : start + self.CHUNK]
        requests = [
            GenerateRequest(p, Sampling(self._max_tokens, 1.0, seed=self._seed + start + i), self._version)
            for i, p in enumerate(prompts)
        ]
        answers = [tuple(g.tokens) for g in generate(self._model, requests, at_once=self.CHUNK)]
        pairs = list(zip(prompts, answers, strict=True))
        with torch.no_grad():
            hidden = self._model.answers_hidden(pairs, self._model.adapter(self._version))
        self._known += [Anchor(p, a, h.clone()) for (p, a), h in zip(pairs, hidden, strict=True)]


def _shuffled(prompts: Sequence[tuple[int, ...]], seed: int) -> list[tuple[int, ...]]:
    out = list(prompts)
    random.Random(seed).shuffle(out)
    return out


def _interleave(groups: list[list[tuple[int, ...]]]) -> list[tuple[int, ...]]:
    """Half of the places go to the first (general) group, the others take turns in the rest.

    Short groups repeat, so that every stretch of the order has the same mix.
    """
    if len(groups) < 2:
        return [p for group in groups for p in group]
    general, earlier = groups[0], groups[1:]
    out = []
    for i, prompt in enumerate(general):
        group = earlier[i % len(earlier)]
        out += [prompt, group[(i // len(earlier)) % len(group)]]
    return out
