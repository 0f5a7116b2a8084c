"""Key-value caches: a shared prefix, and the rows of a decode batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Cache = list[Tensor]  # of one row: for each layer [2 (keys, values), key heads, tokens, width]


@dataclass(frozen=True)
class PrefixCache:
    """The keys and values of a context, computed once and shared by every row behind it. Never written."""

    tokens: tuple[int, ...]
    layers: Cache

    @property
    def length(self) -> int:
        return len(self.tokens)


class RowCache:
    """Keys and values of the rows that are decoded together, each row left-aligned in its own slot."""

    STEP = 64  # tokens by which slots grow

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self._layers: list[Tensor] = []  # each [slots, 2 * key heads, tokens, width], keys first
        self._at: tuple[Tensor, Tensor] | None = None  # where the running step writes: rows, tokens

    def add(self, layers: Cache, room: int) -> None:
        """Take a row's keys and values; `room` tokens may follow soon."""
        row, length = len(self.lengths), layers[0].shape[2]
        self._reserve([kv.flatten(0, 1) for kv in layers], row + 1, length + room)
        for mine, kv in zip(self._layers, layers, strict=True):
            mine[row, :, :length] = kv.flatten(0, 1)
        self.lengths.append(length)

    def remove(self, row: int) -> None:
        """Drop a row; the last one takes its slot."""
        last = self.lengths.pop()
        if row != len(self.lengths):
            for kv in self._layers:
                kv[row] = kv[len(self.lengths)]
            self.lengths[row] = last

    def begin(self) -> Tensor | None:
        """Start a step of one token a row; its mask [rows, 1, 1, longest], or None (all equally long)."""
        longest = max(self.lengths) + 1
        self._reserve([kv[0] for kv in self._layers], len(self.lengths), longest)
        device, dtype = self._layers[0].device, self._layers[0].dtype
        at = torch.tensor(self.lengths, device=device)
        self._at = (torch.arange(len(at), device=device), at)
        even = min(self.lengths) + 1 == longest
        self.lengths = [n + 1 for n in self.lengths]
        if even:
            return None
        unseen = torch.arange(longest, device=device)[None] > at[:, None]
        mask = torch.zeros(unseen.shape, dtype=dtype, device=device).masked_fill_(unseen, float("-inf"))
        return mask[:, None, None]

    def write(self, layer: int, k_RGD: Tensor, v_RGD: Tensor) -> tuple[Tensor, Tensor]:
        """Add the step's keys and values; all of them so far, [rows, key heads, longest, width] each."""
        assert self._at is not None
        rows, tokens = self._at
        kv = self._layers[layer]
        kv[rows, :, tokens] = torch.cat([k_RGD, v_RGD], 1)
        seen = kv[: len(rows), :, : max(self.lengths)]
        keys, values = seen.chunk(2, 1)
        return keys, values

    def _reserve(self, like: Sequence[Tensor], rows: int, tokens: int) -> None:
        """Grow every slot so that `rows` of `tokens` fit; `like`: one row's [2 * key heads, any, width]."""
        have_rows, have_tokens = (
            (self._layers[0].shape[0], self._layers[0].shape[2]) if self._layers else (0, 0)
        )
        if rows <= have_rows and tokens <= have_tokens:
            return
        new_rows = have_rows if rows <= have_rows else max(rows, 2 * have_rows)
        new_tokens = max(have_tokens, -(-tokens // self.STEP) * self.STEP)
        old, self._layers = self._layers, []
        for i, kv in enumerate(like):
            # Zeros, not garbage: a masked key may still be multiplied, and 0 * nan is nan.
            grown = kv.new_zeros((new_rows, kv.shape[0], new_tokens, kv.shape[2]))
            if old:
                grown[:have_rows, :, :have_tokens] = old[i]
            self._layers.append(grown)
