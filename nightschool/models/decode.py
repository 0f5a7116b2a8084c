"""Decoding many rows together: one token for each per step; rows join and leave between steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nightschool.models import lora
from nightschool.models.attention import Decoding
from nightschool.models.base import FinishReason, GenerateRequest, Sampling, TokenOut
from nightschool.models.cache import PrefixCache, RowCache

if TYPE_CHECKING:
    from nightschool.models.hf import HFModel


@dataclass
class _Row:
    number: int
    request: GenerateRequest
    adapter: lora.Adapter | None
    rng: torch.Generator
    left: int  # tokens it may still sample
    last: int = -1


class RowBatch:
    """See `models.base.Batch`."""

    def __init__(self, model: HFModel, prefix: PrefixCache | None) -> None:
        self._model, self._prefix = model, prefix
        self._before = prefix.length if prefix else 0
        self._cache = RowCache()
        self._rows: list[_Row] = []  # in the cache's order
        self._waiting: list[_Row] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._rows) + len(self._waiting)

    def add(self, requests: Sequence[GenerateRequest]) -> list[int]:
        for request in requests:
            self._model.check_length(self._before + len(request.tokens) + 1)
        for request in requests:
            adapter = self._model.adapter(request.version)
            room = self._model.context_length - self._before - len(request.tokens)
            left = min(request.sampling.max_tokens, room)
            row = _Row(self._next, request, adapter, _generator(request.sampling), left)
            self._waiting.append(row)
            self._next += 1
        return list(range(self._next - len(requests), self._next))

    @torch.inference_mode()
    def cancel(self, row: int) -> None:
        self._waiting = [r for r in self._waiting if r.number != row]
        for i, running in enumerate(self._rows):
            if running.number == row:
                self._drop(i)
                return

    @torch.inference_mode()
    def step(self) -> list[TokenOut]:
        """Running rows first: a newcomer's prefill gives it its own first token."""
        out = self._sample(self._rows, self._decode()) if self._rows else []
        if self._waiting:
            joining, self._waiting = self._waiting, []
            out += self._sample(joining, self._prefill(joining))
        ended = {token.row for token in out if token.finish}
        for i in reversed([i for i, row in enumerate(self._rows) if row.number in ended]):
            self._drop(i)
        return out

    def _drop(self, i: int) -> None:
        self._cache.remove(i)
        last = self._rows.pop()
        if i < len(self._rows):
            self._rows[i] = last

    def _decode(self) -> Tensor:
        """Logits [rows, vocabulary] after each row's last token."""
        device = self._model.device
        positions = torch.tensor(self._cache.lengths, device=device) + self._before
        ids = torch.tensor([row.last for row in self._rows], device=device)
        spans = lora.by_token([row.adapter for row in self._rows], device)
        hidden = self._model.run(ids, positions, Decoding(self._cache, self._prefix), spans)
        return self._model.logits(hidden)

    def _prefill(self, rows: list[_Row]) -> Tensor:
        """Logits [rows, vocabulary] after each prompt; the rows of an adapter run together."""
        last: dict[int, Tensor] = {}
        for adapter in {id(row.adapter): row.adapter for row in rows}.values():
            members = [row for row in rows if row.adapter is adapter]
            prompts = [row.request.tokens for row in members]
            hidden, caches = self._model.read(prompts, adapter, self._prefix)
            for row, hidden_D, cache in zip(members, hidden, caches, strict=True):
                last[row.number] = hidden_D
                self._cache.add(cache, min(row.left, RowCache.STEP))
                self._rows.append(row)
        return self._model.logits(torch.stack([last[row.number] for row in rows]))

    def _sample(self, rows: list[_Row], logits_RV: Tensor) -> list[TokenOut]:
        tokens, logps = sample(logits_RV, [r.request.sampling for r in rows], [r.rng for r in rows])
        out = []
        for row, token, logp in zip(rows, tokens.tolist(), logps.tolist(), strict=True):
            row.last, row.left = token, row.left - 1
            finish: FinishReason | None = None
            if token in self._model.eos:
                finish = "stop"
            elif row.left <= 0:
                finish = "length"
            out.append(TokenOut(row.number, token, logp, finish))
        return out


def _generator(sampling: Sampling) -> torch.Generator:
    rng = torch.Generator()
    if sampling.seed is None:
        rng.seed()
    else:
        rng.manual_seed(sampling.seed)
    return rng


def sample(
    logits_RV: Tensor, samplings: list[Sampling], rngs: list[torch.Generator]
) -> tuple[Tensor, Tensor]:
    """One token a row, and its log-probability at temperature 1 [rows].

    Greedy at temperature 0, else by inversion of the cumulative distribution with one uniform number of the
    row's own generator, so a row's draws do not depend on its neighbours.
    """
    logits_RV = logits_RV.float()
    logits_RV = logits_RV - logits_RV.amax(-1, keepdim=True)
    p_RV = logits_RV.exp()
    tokens = logits_RV.argmax(-1)
    for i, (sampling, rng) in enumerate(zip(samplings, rngs, strict=True)):
        if sampling.temperature > 0:
            p_V = p_RV[i] if sampling.temperature == 1 else (logits_RV[i] / sampling.temperature).exp()
            if sampling.top_p < 1:
                p_V = nucleus(p_V, sampling.top_p)
            cdf_V = p_V.cumsum(-1)
            u = torch.rand(1, generator=rng).to(cdf_V.device) * cdf_V[-1]
            tokens[i] = torch.searchsorted(cdf_V, u, right=True)[0].clamp(max=len(cdf_V) - 1)
    at = tokens[:, None]
    return tokens, (logits_RV.gather(1, at) - p_RV.sum(-1, keepdim=True).log())[:, 0]


def nucleus(p_V: Tensor, top_p: float) -> Tensor:
    """Zero all but the fewest most probable tokens that hold a share `top_p` of the whole (arXiv 1904.09751);
    neither side is normalised."""
    ordered, index = p_V.sort(descending=True)
    keep = ordered.cumsum(0) - ordered < top_p * p_V.sum()
    return torch.zeros_like(p_V).scatter(0, index[keep], ordered[keep])
