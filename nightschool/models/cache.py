"""Key-value caches: a shared prefix, and the rows of a decode batch.

Transformers only calls `update(keys, values, layer)` on a cache when it is given positions and a ready mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Layer = tuple[Tensor, Tensor]  # keys, values [batch, key heads, tokens, width]


@dataclass(frozen=True)
class PrefixCache:
    """The key-value cache of a context, computed once and shared by every row behind it. Never written."""

    tokens: tuple[int, ...]
    layers: list[Layer]  # batch 1

    @property
    def length(self) -> int:
        return len(self.tokens)

    def block_mask(self, lengths: list[int], dtype: torch.dtype) -> Tensor:
        """Additive mask [1, 1, T, prefix + T] for rows packed one after the other: each token sees the
        prefix and its own row up to itself."""
        device = self.layers[0][0].device
        row_T = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths)).to(device)
        same_TT = row_T[:, None] == row_T[None, :]
        mask = torch.full((len(row_T), self.length + len(row_T)), float("-inf"), dtype=dtype, device=device)
        mask[:, : self.length] = 0
        mask[:, self.length :].masked_fill_(same_TT.tril(), 0)
        return mask[None, None]


class Capture:
    """Keeps the keys and values that one forward computes; with a prefix, rows see that too."""

    def __init__(self, prefix: PrefixCache | None = None) -> None:
        self.prefix = prefix
        self.layers: list[Layer] = []

    def update(self, k: Tensor, v: Tensor, layer: int, *_: Any, **__: Any) -> Layer:
        self.layers.append((k, v))
        if self.prefix is None:
            return k, v
        prefix_k, prefix_v = self.prefix.layers[layer]
        return torch.cat([prefix_k, k], 2), torch.cat([prefix_v, v], 2)


class RowCache:
    """Keys and values of the rows that are decoded together, each row left-aligned in its own slot."""

    STEP = 64  # tokens by which slots grow

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.lengths: list[int] = []
        self._at: Tensor | None = None  # where the running step writes, [rows]

    def add(self, layers: list[Layer], length: int, room: int) -> None:
        """Take one row's cache (batch 1, `length` tokens); `room` tokens may follow soon."""
        rows = len(self.lengths)
        self._reserve(layers, rows + 1, length + room)
        for (keys, values), (k, v) in zip(self.layers, layers, strict=True):
            keys[rows, :, :length] = k[0]
            values[rows, :, :length] = v[0]
        self.lengths.append(length)

    def remove(self, row: int) -> None:
        """Drop a row; the last one takes its slot."""
        last = len(self.lengths) - 1
        if row != last:
            for keys, values in self.layers:
                keys[row] = keys[last]
                values[row] = values[last]
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()

    def begin(self) -> tuple[Tensor, Tensor]:
        """Start a step of one token a row: its positions [rows, 1] and mask [rows, 1, 1, longest]."""
        self._reserve(self.layers, len(self.lengths), max(self.lengths) + 1)
        device, dtype = self.layers[0][0].device, self.layers[0][0].dtype
        self._at = torch.tensor(self.lengths, device=device)
        seen = torch.arange(max(self.lengths) + 1, device=device)[None] <= self._at[:, None]
        mask = torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill_(~seen, float("-inf"))
        self.lengths = [n + 1 for n in self.lengths]
        return self._at[:, None], mask[:, None, None]

    def update(self, k_RG1D: Tensor, v_RG1D: Tensor, layer: int, *_: Any, **__: Any) -> Layer:
        assert self._at is not None
        keys, values = self.layers[layer]
        rows = torch.arange(len(self._at), device=keys.device)
        keys[rows, :, self._at] = k_RG1D[:, :, 0]
        values[rows, :, self._at] = v_RG1D[:, :, 0]
        longest = max(self.lengths)
        return keys[: len(rows), :, :longest], values[: len(rows), :, :longest]

    def _reserve(self, like: list[Layer], rows: int, tokens: int) -> None:
        """Grow every slot so that `rows` of `tokens` fit."""
        have_rows, have_tokens = (
            (self.layers[0][0].shape[0], self.layers[0][0].shape[2]) if self.layers else (0, 0)
        )
        if rows <= have_rows and tokens <= have_tokens:
            return
        new_rows = max(have_rows, rows if rows <= have_rows else max(rows, 2 * have_rows))
        new_tokens = max(have_tokens, -(-tokens // self.STEP) * self.STEP)
        old, self.layers = self.layers, []
        for i, (k, v) in enumerate(like):
            grown = (_room(k, new_rows, new_tokens), _room(v, new_rows, new_tokens))
            for new, kept in zip(grown, old[i] if old else (), strict=False):
                new[:have_rows, :, :have_tokens] = kept
            self.layers.append(grown)


def _room(like: Tensor, rows: int, tokens: int) -> Tensor:
    # Zeros, not garbage: a masked key may still be multiplied, and 0 * nan is nan.
    return like.new_zeros((rows, like.shape[1], tokens, like.shape[3]))
