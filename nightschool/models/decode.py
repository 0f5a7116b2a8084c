"""Decoding many rows together: one token for each per step; rows join and leave between steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nightschool.models.base import FinishReason, GenerateRequest, Sampling, TokenOut
from nightschool.models.cache import Capture, Layer, PrefixCache, RowCache

if TYPE_CHECKING:
    from nightschool.models.hf import HFModel
    from nightschool.models.lora import Adapter


@dataclass
class _Row:
    number: int
    request: GenerateRequest
    adapter: Adapter | None
    rng: torch.Generator
    left: int  # tokens it may still sample
    last: int = -1


class RowBatch:
    """See `models.base.Batch`."""

    def __init__(self, model: HFModel) -> None:
        self._model = model
        self._cache = RowCache()
        self._rows: list[_Row] = []  # in the cache's order
        self._waiting: list[_Row] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._rows) + len(self._waiting)

    def add(self, requests: Sequence[GenerateRequest]) -> list[int]:
        for request in requests:
            before = request.prefix.length if request.prefix else 0
            self._model.check_length(before + len(request.tokens) + 1)
        for request in requests:
            adapter = self._model.adapter(request.version)
            left = min(request.sampling.max_tokens, self._room(request))
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
            logits_RV = self._prefill(joining)
            self._rows += joining
            out += self._sample(joining, logits_RV)
        ended = {token.row for token in out if token.finish}
        for i in reversed([i for i, row in enumerate(self._rows) if row.number in ended]):
            self._drop(i)
        return out

    def _room(self, request: GenerateRequest) -> int:
        before = request.prefix.length if request.prefix else 0
        return self._model.context_length - before - len(request.tokens)

    def _drop(self, i: int) -> None:
        self._cache.remove(i)
        last = self._rows.pop()
        if i < len(self._rows):
            self._rows[i] = last

    def _decode(self) -> Tensor:
        """Logits [rows, vocabulary] after each row's last token."""
        positions, mask = self._cache.begin()
        ids_R1 = torch.tensor([[row.last] for row in self._rows], device=self._model.device)
        adapters = [row.adapter for row in self._rows]
        hidden = self._model.run(ids_R1, adapters, cache=self._cache, positions=positions, mask=mask)
        return self._model.logits(hidden[:, 0])

    def _prefill(self, rows: list[_Row]) -> Tensor:
        """Logits [rows, vocabulary] after each prompt; rows with the same prefix and adapter run together."""
        groups: dict[tuple[int, int], list[int]] = {}
        for i, row in enumerate(rows):
            key = (id(row.request.prefix), id(row.adapter))
            groups.setdefault(key, []).append(i)
        last: dict[int, Tensor] = {}
        caches: dict[int, list[Layer]] = {}
        for members in groups.values():
            prompts = [list(rows[i].request.tokens) for i in members]
            hidden, layers = self._run_prompts(prompts, rows[members[0]])
            for i, h, kept in zip(members, hidden, layers, strict=True):
                last[i], caches[i] = h[-1], kept
        for i, row in enumerate(rows):
            length = caches[i][0][0].shape[2]
            self._cache.add(caches[i], length, min(row.left, RowCache.STEP))
        return self._model.logits(torch.stack([last[i] for i in range(len(rows))]))

    def _run_prompts(self, prompts: list[list[int]], like: _Row) -> tuple[list[Tensor], list[list[Layer]]]:
        """Hidden states and whole caches of prompts that share `like`'s prefix and adapter."""
        prefix = like.request.prefix
        lengths = [len(p) for p in prompts]
        if prefix is None:
            from nightschool.models.hf import pad_right

            capture = Capture()
            ids = pad_right(prompts, self._model.eos[0], self._model.device)
            hidden_BLD = self._model.run(ids, like.adapter, cache=capture)
            return [hidden_BLD[i, :n] for i, n in enumerate(lengths)], [
                [(k[i : i + 1, :, :n], v[i : i + 1, :, :n]) for k, v in capture.layers]
                for i, n in enumerate(lengths)
            ]
        assert isinstance(prefix, PrefixCache)
        hidden, capture = self._model.behind_with_cache(prefix, prompts, like.adapter)
        ends = torch.tensor(lengths).cumsum(0).tolist()
        return hidden, [_whole(prefix, capture, end - n, end) for end, n in zip(ends, lengths, strict=True)]

    def _sample(self, rows: list[_Row], logits_RV: Tensor) -> list[TokenOut]:
        logp_RV = logits_RV.float().log_softmax(-1)
        tokens = sample(logp_RV, [r.request.sampling for r in rows], [r.rng for r in rows])
        logps = logp_RV.gather(1, tokens[:, None])[:, 0].tolist()
        out = []
        for row, token, logp in zip(rows, tokens.tolist(), logps, strict=True):
            row.last, row.left = token, row.left - 1
            finish: FinishReason | None = None
            if token in self._model.eos:
                finish = "stop"
            elif row.left <= 0:
                finish = "length"
            out.append(TokenOut(row.number, token, logp, finish))
        return out


def _whole(prefix: PrefixCache, capture: Capture, start: int, end: int) -> list[Layer]:
    """One packed row's cache with the prefix in front, as a row of its own."""
    return [
        (torch.cat([pk, k[:, :, start:end]], 2), torch.cat([pv, v[:, :, start:end]], 2))
        for (pk, pv), (k, v) in zip(prefix.layers, capture.layers, strict=True)
    ]


def _generator(sampling: Sampling) -> torch.Generator:
    rng = torch.Generator()
    if sampling.seed is None:
        rng.seed()
    else:
        rng.manual_seed(sampling.seed)
    return rng


def sample(logp_RV: Tensor, samplings: list[Sampling], rngs: list[torch.Generator]) -> Tensor:
    """One token a row [rows]: greedy at temperature 0, else by inversion of the cumulative distribution
    with one uniform number of the row's own generator, so a row's draws do not depend on its neighbours."""
    tokens = logp_RV.argmax(-1)
    hot = [i for i, s in enumerate(samplings) if s.temperature > 0]
    if not hot:
        return tokens
    heat = torch.tensor([samplings[i].temperature for i in hot], device=logp_RV.device)
    p_HV = (logp_RV[hot] / heat[:, None]).softmax(-1)
    for h, i in enumerate(hot):
        if samplings[i].top_p < 1:
            p_HV[h] = nucleus(p_HV[h], samplings[i].top_p)
    cdf_HV = p_HV.cumsum(-1)
    u_H1 = torch.stack([torch.rand(1, generator=rngs[i]) for i in hot]).to(logp_RV.device)
    drawn = torch.searchsorted(cdf_HV, u_H1 * cdf_HV[:, -1:], right=True)[:, 0]
    tokens[hot] = drawn.clamp(max=logp_RV.shape[1] - 1)
    return tokens


def nucleus(p_V: Tensor, top_p: float) -> Tensor:
    """Zero all but the fewest most probable tokens that hold `top_p` (arXiv 1904.09751); not normalised."""
    ordered, index = p_V.sort(descending=True)
    keep = ordered.cumsum(0) - ordered < top_p
    return torch.zeros_like(p_V).scatter(0, index[keep], ordered[keep])
