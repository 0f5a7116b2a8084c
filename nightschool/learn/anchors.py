"""Anchors: requests that have nothing to do with the session, where the student is to answer as before."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nightschool.models.base import GenerateRequest, Sampling, generate
from nightschool.models.hf import HFModel

Prompt = tuple[int, ...]


@dataclass(frozen=True)
class Anchor:
    """A request, the answer that a version gave itself, and its final hidden states [answer, width]."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    hidden_AD: Tensor


class AnchorPool:
    """Answers anchors when they are first needed, several steps' worth together, and keeps what the versions
    thought: their distributions cost one pass through the output head from then on."""

    CHUNK = 32  # requests answered together

    def __init__(
        self,
        model: HFModel,
        groups: Sequence[tuple[str, Sequence[Prompt]]],
        *,
        max_tokens: int,
        seed: int,
    ) -> None:
        """`groups` of prompts (general ones first; each earlier lesson's), each with the version to be like
        there. The earlier lessons take turns, so none is drowned."""
        self._model, self._max_tokens, self._seed = model, max_tokens, seed
        shuffled = [_shuffled(*group, seed) for group in groups if group[1]]
        self._order, self._kinds = _interleave(shuffled), min(2, len(shuffled))
        self._known: list[Anchor] = []

    def __len__(self) -> int:
        return len(self._order)

    def take(self, step: int, count: int) -> list[Anchor]:
        """The anchors of a step (any step, in any order: a resumed dream sees the same ones): `count` general
        ones and, where there are earlier lessons, as many of these."""
        if not self._order:
            return []
        count *= self._kinds
        wanted = [i % len(self._order) for i in range(step * count, (step + 1) * count)]
        while wanted and max(wanted) >= len(self._known):
            self._answer_more()
        return [self._known[i] for i in wanted]

    def _answer_more(self) -> None:
        start = len(self._known)
        asked = self._order[start : start + self.CHUNK]
        requests = [
            GenerateRequest(prompt, Sampling(self._max_tokens, 1.0, seed=self._seed + start + i), version)
            for i, (version, prompt) in enumerate(asked)
        ]
        answers = [tuple(g.tokens) for g in generate(self._model, requests, at_once=self.CHUNK)]
        known: dict[int, Anchor] = {}
        for version in dict.fromkeys(version for version, _ in asked):
            own = [i for i, (v, _) in enumerate(asked) if v == version]
            pairs = [(asked[i][1], answers[i]) for i in own]
            with torch.no_grad():
                hidden = self._model.answers_hidden(pairs, self._model.adapter(version))
            known |= {i: Anchor(*pair, h.clone()) for i, pair, h in zip(own, pairs, hidden, strict=True)}
        self._known += [known[i] for i in range(len(asked))]


def _shuffled(version: str, prompts: Sequence[Prompt], seed: int) -> list[tuple[str, Prompt]]:
    out = [(version, prompt) for prompt in prompts]
    random.Random(seed).shuffle(out)
    return out


def _interleave(groups: list[list[tuple[str, Prompt]]]) -> list[tuple[str, Prompt]]:
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
