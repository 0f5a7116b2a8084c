"""KL to base on unrelated requests, per token, over the full vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from nightschool.engines.base import respond
from nightschool.learn.losses import forward_kl
from nightschool.models.cache import PrefixCache
from nightschool.models.hf import HFModel
from nightschool.seeds import seed_of
from nightschool.types import BASE

_SEED = 7_001  # the base model's answers are the same ones for every dream
_ANSWERS_A_FORWARD = 8  # answers in one forward; bounds its memory, not measured


class Drift:
    """Base-sampled answers to unrelated requests, and base's final hidden states on them."""

    def __init__(self, model: HFModel, prompts: Sequence[tuple[int, ...]], max_tokens: int = 32) -> None:
        self._model = model
        seeds = [seed_of(_SEED, tuple(prompt)) for prompt in prompts]
        answers = respond(
            model, prompts, BASE, max_tokens, temperature=1.0, seeds=seeds, at_once=len(prompts)
        )
        self._pairs = [(p, tuple(a.tokens)) for p, a in zip(prompts, answers, strict=True)]
        self._base = self._hidden(BASE)

    def __call__(
        self, version: str, prompts: Sequence[tuple[int, ...]] = (), prefix: PrefixCache | None = None
    ) -> float:
        """Mean over tokens of KL(base || version), in nats; `prompts`: what the version is asked instead, say
        with something before every request; `prefix`: what it is asked behind."""
        pairs = zip(self._base, self._hidden(version, prompts, prefix), strict=True)
        return self._mean(pairs)

    def _mean(self, pairs: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> float:
        with torch.no_grad():
            kl = [forward_kl(self._model.logits(b), self._model.logits(v))[0] for b, v in pairs]
        return float(torch.cat(kl).mean())

    def between(self, one: str, other: str) -> float:
        """The same of two versions: KL(one || other)."""
        pairs = zip(self._hidden(one), self._hidden(other), strict=True)
        return self._mean(pairs)

    def _hidden(
        self, version: str, prompts: Sequence[tuple[int, ...]] = (), prefix: PrefixCache | None = None
    ) -> list[torch.Tensor]:
        asked = prompts or [prompt for prompt, _ in self._pairs]
        pairs = [(prompt, answer) for prompt, (_, answer) in zip(asked, self._pairs, strict=True)]
        return self._model.hidden(pairs, version, prefix, at_once=_ANSWERS_A_FORWARD)
