"""Which tokens of one forward attend to which, and to which cached ones.

A forward runs its tokens as one row, [tokens, ...], whichever rows of text they belong to, since everything
in a decoder but attention works token by token. An object of this module says which tokens belong together.
Each layer calls it once, with queries and keys that already carry their positions:

    Packed     rows of text one after the other, each causal and behind its own past, if it has one
    Continued  rows that continue caches of their own, differentiable
    Decoding   one new token for each row of a cache

Without gradients, a CPU never copies the keys and values of a shared prefix: attention over the prefix and
attention over a row's own tokens are computed apart and merged by their log-sum-exps (the identity behind
FlashAttention, arXiv 2205.14135, section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import pad, scaled_dot_product_attention

from nightschool.models.cache import Cache, PrefixCache, RowCache, length
from nightschool.models.kernels import native


class Attention(Protocol):
    """Called by layer 0, 1, ... in order."""

    def __call__(self, layer: int, q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor) -> Tensor:
        """Attention [tokens, query heads, head width]; the H query heads share the G key heads evenly."""
        ...


class Packed:
    """Rows of the given lengths, one after the other, each behind its past, if it has one. Rows that share a
    past must be adjacent. With `record`, `recorded` collects each layer's keys and values [2, key heads,
    tokens, head width]."""

    def __init__(
        self, lengths: Sequence[int], pasts: Sequence[Cache | None] = (), *, record: bool = False
    ) -> None:
        self._lengths, self._record = list(lengths), record
        self._pasts = list(pasts) or [None] * len(lengths)
        self.recorded: list[Tensor] = []

    def __call__(self, layer: int, q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor) -> Tensor:
        q, k, v = (t.transpose(0, 1)[None] for t in (q_THD, k_TGD, v_TGD))
        if self._record:
            self.recorded.append(torch.cat([k, v]))
        rows = list(zip(*(t.split(self._lengths, 2) for t in (q, k, v)), strict=True))
        # Only the CPU's kernel returns its log-sum-exps, and they are not differentiable.
        if q.device.type != "cpu" or torch.is_grad_enabled() or not any(self._pasts):
            pasts = [past[layer].unsqueeze(1) if past else None for past in self._pasts]
            seen = [_causal(q, k, v, past) for (q, k, v), past in zip(rows, pasts, strict=True)]
            out = torch.cat(seen, 2)
        else:
            out = self._merged(layer, [attend(*row, causal=True) for row in rows], q_THD)
        return out[0].transpose(0, 1)

    def _merged(self, layer: int, own: list[Part], q_THD: Tensor) -> Tensor:
        """The rows' attention to themselves, merged with their attention to their pasts."""
        out, start = [], 0
        for _, same in groupby(zip(self._pasts, own, strict=True), key=lambda pair: id(pair[0])):
            (past, *_), parts = zip(*same, strict=True)
            seen = torch.cat([part for part, _ in parts], 2), torch.cat([lse for _, lse in parts], 2)
            tokens = slice(start, start := start + seen[0].shape[2])
            out.append(merge(seen, attend_prefix(q_THD[tokens], past[layer])) if past else seen[0])
        return torch.cat(out, 2)


class Continued:
    """Rows of the given lengths, each behind its own cache, which gets no gradient.

    Written out as matrix products: the fused kernel's backward takes five times as long on a CPU
    (docs/log.md, 2026-11-24).
    """

    def __init__(self, lengths: Sequence[int], caches: Sequence[Cache]) -> None:
        like = caches[0][0]
        device, before = like.device, [length(cache) for cache in caches]
        own, past = max(lengths), max(before)
        # For each layer [2, rows, key heads, longest, head width], padded with zeros.
        self._past = [
            torch.stack([pad(kv, (0, 0, 0, past - kv.shape[2])) for kv in layer], 1)
            for layer in zip(*caches, strict=True)
        ]
        self._from_own = _padding(lengths).to(device)
        self._real = torch.cat([torch.arange(n) + i * own for i, n in enumerate(lengths)]).to(device)
        seen_BP = torch.arange(past)[None] < torch.tensor(before)[:, None]
        seen_BSK = torch.cat(
            [
                seen_BP[:, None].expand(-1, own, -1),
                torch.ones(own, own, dtype=torch.bool).tril().expand(len(lengths), -1, -1),
            ],
            2,
        )
        mask = torch.zeros(seen_BSK.shape, dtype=like.dtype).masked_fill_(~seen_BSK, float("-inf"))
        self._mask_BSK = mask.to(device)
        self._mask: Tensor | None = None

    def __call__(self, layer: int, q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor) -> Tensor:
        batch, own = self._from_own.shape
        (_, heads, width), groups = q_THD.shape, k_TGD.shape[1]
        each = heads // groups
        # Query heads that share a key head become rows of one matrix: one product for all of them.
        q = self._padded(q_THD).view(batch, own, groups, each, width).permute(0, 2, 3, 1, 4)
        k, v = (
            torch.cat([past_BGPD, self._padded(new).transpose(1, 2)], 2).flatten(0, 1)
            for past_BGPD, new in zip(self._past[layer], (k_TGD, v_TGD), strict=True)
        )
        if self._mask is None:  # the same for all layers
            self._mask = self._mask_BSK[:, None].repeat(1, groups, each, 1).flatten(0, 1)
        scores = torch.baddbmm(
            self._mask, q.reshape(batch * groups, each * own, width), k.transpose(1, 2), alpha=width**-0.5
        )
        out = torch.bmm(scores.softmax(-1), v).view(batch, groups, each, own, width)
        return out.permute(0, 3, 1, 2, 4).reshape(batch * own, heads, width).index_select(0, self._real)

    def _padded(self, x_THD: Tensor) -> Tensor:
        """Packed tokens as padded rows [rows, longest, heads, head width]."""
        rows, longest = self._from_own.shape
        return x_THD.index_select(0, self._from_own.flatten()).view(rows, longest, *x_THD.shape[1:])


class Decoding:
    """One new token for each row of a cache, all rows behind a shared prefix if there is one. The keys and
    values of the new tokens are written into the cache."""

    def __init__(self, cache: RowCache, prefix: PrefixCache | None = None) -> None:
        self._cache, self._prefix = cache, prefix
        self._mask = cache.begin()

    def __call__(self, layer: int, q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor) -> Tensor:
        rows, heads, width = q_THD.shape  # one token a row
        if self._prefix is None and width in native.WIDTHS and native.serves(q_THD):
            return native.attend(q_THD, k_TGD, v_TGD, *self._cache.place(layer))
        groups = k_TGD.shape[1]
        keys, values = self._cache.write(layer, k_TGD, v_TGD)
        # The query heads that share a key head become its queries, so nothing is repeated.
        q = q_THD.view(rows, groups, heads // groups, width)
        if self._prefix is None:
            out = scaled_dot_product_attention(q, keys, values, attn_mask=self._mask)
            return out.reshape(rows, heads, width)
        prefix = self._prefix.layers[layer]
        if q.device.type != "cpu":
            shared = prefix.unsqueeze(1).expand(-1, rows, -1, -1, -1)
            k, v = torch.cat([shared[0], keys], 2), torch.cat([shared[1], values], 2)
            mask = None if self._mask is None else pad(self._mask, (prefix.shape[2], 0))
            return scaled_dot_product_attention(q, k, v, attn_mask=mask).reshape(rows, heads, width)
        out, lse = attend(q, keys, values, mask=self._mask)
        own = out.reshape(1, rows, heads, width).transpose(1, 2), lse.reshape(1, rows, heads).transpose(1, 2)
        return merge(own, attend_prefix(q_THD, prefix))[0].transpose(0, 1)


# Attention over some of the keys [..., queries, head width], and its scores' log-sum-exps [..., queries].
Part = tuple[Tensor, Tensor]


def attend(q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False, mask: Tensor | None = None) -> Part:
    """Attention [batch, heads, queries, head width] and the log-sum-exps of its scores [batch, heads,
    queries]. On a CPU only; not differentiable."""
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, is_causal=causal, attn_mask=mask
    )
    return out, lse


def attend_prefix(q_THD: Tensor, past: Tensor) -> Part:
    """Attention to keys and values [2, key heads, past, head width] that all precede these tokens; shapes as
    from `attend` with a batch of 1. On a CPU only; not differentiable."""
    if native.fast_attend_prefix(q_THD):
        out_THD, lse_TH = native.attend_prefix(q_THD, past)
        return out_THD.transpose(0, 1)[None], lse_TH.T[None]
    keys, values = past.unsqueeze(1)
    return attend(q_THD.transpose(0, 1)[None], keys, values)


def merge(a: Part, b: Part) -> Tensor:
    """Attention [..., queries, head width] to the keys of both parts."""
    share = torch.sigmoid(a[1] - b[1])[..., None]
    return (a[0] * share + b[0] * (1 - share)).to(a[0].dtype)


def _causal(q: Tensor, k: Tensor, v: Tensor, prefix: Tensor | None) -> Tensor:
    """A row's causal attention to itself and to the prefix before it; differentiable."""
    if prefix is None:
        return scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    keys, values = torch.cat([prefix[0], k], 2), torch.cat([prefix[1], v], 2)
    bias = causal_lower_right(q.shape[2], keys.shape[2])
    return scaled_dot_product_attention(q, keys, values, attn_mask=bias, enable_gqa=True)


def _padding(lengths: Sequence[int]) -> Tensor:
    """For each place of the padded rows [rows, longest], the index of its token in the packed row; 0 where
    there is padding."""
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    at = torch.arange(max(lengths))[None] + torch.tensor(starts)[:, None]
    return at.masked_fill(torch.arange(max(lengths))[None] >= torch.tensor(lengths)[:, None], 0)
