"""Decoding many rows together: one token for each per step; rows join and leave between steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nightschool.models import lora, native
from nightschool.models.attention import Decoding
from nightschool.models.base import FinishReason, GenerateRequest, Sampling, TokenOut
from nightschool.models.cache import Cache, Kept, PrefixCache, RowCache, joined, length

if TYPE_CHECKING:
    from nightschool.models.hf import HFModel


@dataclass
class _Row:
    number: int
    request: GenerateRequest
    adapter: lora.Adapter | None
    rng: torch.Generator
    left: int  # tokens it may still sample
    past: Cache | None = None  # of the prompt, as far as it is read
    said: list[int] = field(default_factory=list)

    @property
    def unread(self) -> Sequence[int]:
        return self.request.tokens[length(self.past) :]


class RowBatch:
    """See `models.base.Batch`. Reads at most `read_tokens` of prompts a step, so that a long one does not
    keep the others waiting; goes on from what is `kept` of earlier requests, where something is."""

    def __init__(
        self,
        model: HFModel,
        prefix: PrefixCache | None,
        read_tokens: int | None = None,
        kept: Kept | None = None,
    ) -> None:
        self._model, self._prefix, self._read_tokens, self._kept = model, prefix, read_tokens, kept
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
        """Running rows first: the step that ends a prompt gives it its own first token."""
        out = self._sample(self._rows, self._decode()) if self._rows else []
        if self._waiting:
            out += self._read()
        ended = {token.row for token in out if token.finish}
        for i in reversed([i for i, row in enumerate(self._rows) if row.number in ended]):
            self._keep(i)
            self._drop(i)
        return out

    def _keep(self, i: int) -> None:
        if self._kept:
            row = self._rows[i]
            tokens = (*row.request.tokens, *row.said[:-1])  # the last one was sampled, never read
            self._kept.put(row.request.version, tokens, self._cache.copy(i))

    def _drop(self, i: int) -> None:
        self._cache.remove(i)
        last = self._rows.pop()
        if i < len(self._rows):
            self._rows[i] = last

    def _decode(self) -> Tensor:
        """Logits [rows, vocabulary] after each row's last token."""
        device = self._model.device
        positions = torch.tensor(self._cache.lengths, device=device) + self._before
        ids = torch.tensor([row.said[-1] for row in self._rows], device=device)
        spans = lora.by_token([row.adapter for row in self._rows], device)
        hidden = self._model.run(ids, positions, Decoding(self._cache, self._prefix), spans)
        return self._model.logits(hidden)

    def _read(self) -> list[TokenOut]:
        """Read on in the prompts that wait; the first tokens of those that are through."""
        shares = self._shares()
        last: dict[int, Tensor] = {}
        for adapter in {id(row.adapter): row.adapter for row, _ in shares}.values():
            members = [(row, share) for row, share in shares if row.adapter is adapter]
            parts = [row.unread[:share] for row, share in members]
            pasts = [self._prefix.layers if self._prefix else row.past for row, _ in members]
            hidden, caches = self._model.read(parts, adapter, pasts)
            for (row, _), hidden_D, cache in zip(members, hidden, caches, strict=True):
                row.past, last[row.number] = joined(row.past, cache), hidden_D
        through = [row for row, _ in shares if not row.unread]
        self._waiting = [row for row in self._waiting if row.unread]
        for row in through:
            assert row.past
            self._cache.add(row.past, min(row.left, RowCache.STEP))
            self._rows.append(row)
            if self._kept:
                self._kept.put(row.request.version, row.request.tokens, row.past)
            row.past = None  # its slot has it now
        if not through:
            return []
        return self._sample(through, self._model.logits(torch.stack([last[r.number] for r in through])))

    def _shares(self) -> list[tuple[_Row, int]]:
        """Which prompts are read on in this step, and how many tokens of each: in the order they came, but
        none takes more than half while others wait."""
        left = most = self._read_tokens or sum(len(row.unread) for row in self._waiting)
        if self._read_tokens and len(self._waiting) > 1:
            most = left // 2
        shares = []
        for row in self._waiting:
            if left and self._kept and row.past is None:
                row.past = self._kept.find(row.request.version, row.request.tokens)
            if share := min(left, most, len(row.unread)):
                shares.append((row, share))
                left -= share
        return shares

    def _sample(self, rows: list[_Row], logits_RV: Tensor) -> list[TokenOut]:
        tokens, logps = sample(logits_RV, [r.request.sampling for r in rows], [r.rng for r in rows])
        out = []
        for row, token, logp in zip(rows, tokens.tolist(), logps.tolist(), strict=True):
            row.said.append(token)
            row.left -= 1
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
    tokens, total_R = likeliest(logits_RV)
    for i, (sampling, rng) in enumerate(zip(samplings, rngs, strict=True)):
        if sampling.temperature > 0:
            p_V = ((logits_RV[i].float() - total_R[i]) / sampling.temperature).exp()
            if sampling.top_p < 1:
                p_V = nucleus(p_V, sampling.top_p)
            cdf_V = p_V.cumsum(-1)
            u = torch.rand(1, generator=rng).to(cdf_V.device) * cdf_V[-1]
            tokens[i] = torch.searchsorted(cdf_V, u, right=True)[0].clamp(max=len(cdf_V) - 1)
    return tokens, logits_RV.gather(1, tokens[:, None])[:, 0].float() - total_R


def likeliest(logits_RV: Tensor) -> tuple[Tensor, Tensor]:
    """Each row's first largest, and the logarithm of the sum of its exponentials, in float32."""
    if native.serves(logits_RV):
        return native.likeliest(logits_RV)
    return logits_RV.argmax(-1), logits_RV.float().logsumexp(-1)


def nucleus(p_V: Tensor, top_p: float) -> Tensor:
    """Zero all but the fewest most probable tokens that hold a share `top_p` of the whole (arXiv 1904.09751);
    neither side is normalised."""
    ordered, index = p_V.sort(descending=True)
    keep = ordered.cumsum(0) - ordered < top_p * p_V.sum()
    return torch.zeros_like(p_V).scatter(0, index[keep], ordered[keep])
