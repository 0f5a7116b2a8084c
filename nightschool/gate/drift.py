"""KL to base on unrelated requests, per token, over the full vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from nightschool.learn.losses import forward_kl
from nightschool.models.base import GenerateRequest, Sampling, generate
from nightschool.models.hf import HFModel
from nightschool.types import BASE

_SEED = 7_001  # the base model's answers are the same ones for every dream
_ROWS = 8  # scored together


class Drift:
    """Base-sampled answers to unrelated requests, and base's final hidden states on them."""

    def __init__(self, model: HFModel, prompts: Sequence[tuple[int, ...]], max_tokens: int = 32) -> None:
        self._model = model
        requests = [
            GenerateRequest(p, Sampling(max_tokens, 1.0, seed=_SEED + i)) for i, p in enumerate(prompts)
        ]
        answers = generate(model, requests, at_once=len(requests))
        self._pairs = [(r.tokens, tuple(a.tokens)) for r, a in zip(requests, answers, strict=True)]
        self._base = self._hidden(BASE)

    def __call__(self, version: str) -> float:
        """Mean over tokens of KL(base || version), in nats."""
        pairs = zip(self._base, self._hidden(version), strict=True)
        with torch.no_grad():
            kl = [forward_kl(self._model.logits(b), self._model.logits(v))[0] for b, v in pairs]
        return float(torch.cat(kl).mean())

    def _hidden(self, version: str) -> list[torch.Tensor]:
        adapter = self._model.adapter(version)
        out: list[torch.Tensor] = []
        with torch.no_grad():
            for i in range(0, len(self._pairs), _ROWS):
                hidden = self._model.answers_hidden(self._pairs[i : i + _ROWS], adapter)
                out += [h.clone() for h in hidden]
        return out
