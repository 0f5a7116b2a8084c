"""Decoding many rows together, one token each a step. Rows join and leave between steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nightschool.engines.base import FinishReason, GenerateRequest, Sampling, TokenOut
from nightschool.models import lora
from nightschool.models.attention import Decoding
from nightschool.models.cache import Cache, PrefixCache, PrefixPool, RowCache, joined, length
from nightschool.models.runner import Runner
from nightschool.models.sampling import Sampled, Sampler, sample


@dataclass
class _Row:
    number: int
    request: GenerateRequest
    adapter: lora.Adapter | None
    sampler: Sampler
    left: int  # tokens it may still sample
    past: Cache | None = None  # the part of the prompt that is prefilled

    @property
    def sampled(self) -> list[int]:
        return self.sampler.tokens

    @property
    def to_prefill(self) -> Sequence[int]:
        return self.request.tokens[length(self.past) :]


class RowBatch:
    """See `engines.base.Batch`.

    `adapter` maps a version's name to its adapter; `sampler` makes what samples a row. A step prefills at
    most `prefill_chunk` prompt tokens (None: whole prompts), so that a long prompt does not delay the other
    rows. A prompt's prefill starts behind its longest prefix in the `pool`.
    """

    def __init__(
        self,
        runner: Runner,
        adapter: Callable[[str], lora.Adapter | None],
        sampler: Callable[[Sampling], Sampler],
        eos: Collection[int],
        prefix: PrefixCache | None = None,
        prefill_chunk: int | None = None,
        pool: PrefixPool | None = None,
    ) -> None:
        assert prefill_chunk is None or prefill_chunk > 0
        assert prefix is None or (prefill_chunk is None and pool is None), "a row has one past"
        self._runner, self._adapter, self._sampler, self._eos = runner, adapter, sampler, eos
        self._prefix = prefix
        self._prefill_chunk, self._pool = prefill_chunk, pool
        self._before = prefix.length if prefix else 0
        self._cache = RowCache()
        self._rows: list[_Row] = []  # in the cache's order
        self._waiting: list[_Row] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._rows) + len(self._waiting)

    def add(self, requests: Sequence[GenerateRequest]) -> list[int]:
        for request in requests:
            self._runner.check_length(self._before + len(request.tokens) + 1)
        # All of them, or none joins.
        parts = [(self._adapter(r.version), self._sampler(r.sampling)) for r in requests]
        for request, (adapter, sampler) in zip(requests, parts, strict=True):
            room = self._runner.context_length - self._before - len(request.tokens)
            left = min(request.sampling.max_tokens, room)
            self._waiting.append(_Row(self._next, request, adapter, sampler, left))
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
        """Running rows go first. A new row gets its first token in the step that completes its prefill."""
        out = self._sample(self._rows, self._decode()) if self._rows else []
        if self._waiting:
            out += self._prefill()
        ended = {token.row for token in out if token.finish}
        for i in reversed([i for i, row in enumerate(self._rows) if row.number in ended]):
            self._pool_row(i)
            self._drop(i)
        return out

    def _pool_row(self, i: int) -> None:
        if self._pool:
            row = self._rows[i]
            tokens = (*row.request.tokens, *row.sampled[:-1])  # the last one was sampled, but never run
            self._pool.put(row.request.version, tokens, self._cache.copy(i))

    def _drop(self, i: int) -> None:
        self._cache.remove(i)
        last = self._rows.pop()
        if i < len(self._rows):
            self._rows[i] = last

    def _decode(self) -> Tensor:
        """The running rows' logits [rows, vocabulary] after their last tokens."""
        device = self._runner.device
        positions = torch.tensor(self._cache.lengths, device=device) + self._before
        ids = torch.tensor([row.sampled[-1] for row in self._rows], device=device)
        spans = lora.by_token([row.adapter for row in self._rows], device)
        hidden = self._runner.run(ids, positions, Decoding(self._cache, self._prefix), spans)
        return self._runner.logits(hidden)

    def _prefill(self) -> list[TokenOut]:
        """Prefill the next part of the waiting prompts. Returns the first tokens of those now complete."""
        shares = self._shares()
        last: dict[int, Tensor] = {}
        for adapter in {id(row.adapter): row.adapter for row, _ in shares}.values():
            members = [(row, share) for row, share in shares if row.adapter is adapter]
            parts = [row.to_prefill[:share] for row, share in members]
            pasts = [self._prefix.layers if self._prefix else row.past for row, _ in members]
            hidden, caches = self._runner.prefill(parts, adapter, pasts)
            for (row, _), hidden_W, cache in zip(members, hidden, caches, strict=True):
                row.past, last[row.number] = joined(row.past, cache), hidden_W
        complete = [row for row, _ in shares if not row.to_prefill]
        self._waiting = [row for row in self._waiting if row.to_prefill]
        for row in complete:
            assert row.past
            self._cache.add(row.past, min(row.left, RowCache.GROWTH))
            self._rows.append(row)
            if self._pool:
                self._pool.put(row.request.version, row.request.tokens, row.past)
            row.past = None  # its slot has it now
        if not complete:
            return []
        return self._sample(complete, self._runner.logits(torch.stack([last[r.number] for r in complete])))

    def _shares(self) -> list[tuple[_Row, int]]:
        """Which prompts this step prefills, and how many tokens of each: first come, first served, but none
        gets more than half of a chunk while others wait."""
        if self._prefill_chunk is None:
            left = most = sum(len(row.to_prefill) for row in self._waiting)
        else:
            left = most = self._prefill_chunk
            if len(self._waiting) > 1:
                most = max(1, left // 2)
        shares = []
        for row in self._waiting:
            if left and self._pool and row.past is None:
                row.past = self._pool.longest_prefix(row.request.version, row.request.tokens)
            if share := min(left, most, len(row.to_prefill)):
                shares.append((row, share))
                left -= share
        return shares

    def _sample(self, rows: list[_Row], logits_RV: Tensor) -> list[TokenOut]:
        sampled = sample(logits_RV, [row.sampler for row in rows])
        return [self._told(row, one) for row, one in zip(rows, sampled, strict=True)]

    def _told(self, row: _Row, sampled: Sampled) -> TokenOut:
        row.left -= 1
        finish: FinishReason | None = None
        if row.sampler.stuck:
            finish = "length"
        elif sampled.token in self._eos or sampled.token in row.request.sampling.stop:
            finish = "stop"
        elif row.left <= 0:
            finish = "length"
        return TokenOut(row.number, sampled.token, sampled.logprob, finish, sampled.top)
