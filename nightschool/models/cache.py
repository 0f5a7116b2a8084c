"""Key-value caches: a shared prefix, a pool of earlier prompts, and the rows of a decode batch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nightschool.engines.base import common_beginning

Cache = list[Tensor]  # one row's keys and values: for each layer [2, key heads, tokens, head width]


def length(cache: Cache | None) -> int:
    """How many tokens a cache holds."""
    return cache[0].shape[2] if cache else 0


def joined(past: Cache | None, more: Cache) -> Cache:
    """One cache of a row's past and of the tokens after it."""
    return [torch.cat(kv, 2) for kv in zip(past, more, strict=True)] if past else more


@dataclass(frozen=True)
class PrefixCache:
    """The keys and values of a prefix, computed once and shared by every row behind it. Never written."""

    tokens: tuple[int, ...]
    layers: Cache

    @property
    def length(self) -> int:
        return len(self.tokens)


class PrefixPool:
    """Keys and values of earlier prompts and answers, for prompts that begin with the same tokens: the next
    turn of a chat, or the same system turn. Holds at most `max_tokens`; the least recently used go first."""

    # Fewest tokens worth pooling or reusing. Not measured: more than a chat template's opening marks.
    MIN_POOLED = 16

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._caches: OrderedDict[tuple[str, tuple[int, ...]], Cache] = OrderedDict()

    def put(self, version: str, tokens: tuple[int, ...], cache: Cache) -> None:
        """Store the cache that `version` computed of `tokens`. Entries that `tokens` begin with go. Does
        nothing if there are too few tokens to be worth it, or more than fit."""
        if not self.MIN_POOLED < len(tokens) <= self._max_tokens:
            return
        for key in [k for k in self._caches if k[0] == version and tokens[: len(k[1])] == k[1]]:
            del self._caches[key]
        self._caches[version, tokens] = cache
        while sum(len(pooled) for _, pooled in self._caches) > self._max_tokens:
            self._caches.popitem(last=False)

    def longest_prefix(self, version: str, tokens: tuple[int, ...]) -> Cache | None:
        """The cache of the longest pooled prefix of `tokens`, or None. Their last token is never part of it:
        it must be run, since its hidden state predicts the answer's first token."""
        shared = {key: common_beginning(key[1], tokens[:-1]) for key in self._caches if key[0] == version}
        best = max(shared, key=lambda key: shared[key], default=None)
        if best is None or shared[best] < self.MIN_POOLED:
            return None
        self._caches.move_to_end(best)
        return [kv[:, :, : shared[best]] for kv in self._caches[best]]


class RowCache:
    """Keys and values of the rows that are decoded together, each row left-aligned in a slot of its own.

    A step is `begin`, then `write` (or `place`, for a kernel that writes itself) once for each layer.
    """

    GROWTH = 64  # tokens by which slots grow, about a short answer: fewer copies; not measured

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self._layers: list[Tensor] = []  # each [slots, 2 * key heads, tokens, head width], keys first
        self._at: tuple[Tensor, Tensor] | None = None  # where the current step writes: rows, tokens

    def add(self, layers: Cache, room: int) -> None:
        """Copy a row's keys and values into a slot with room for `room` more tokens."""
        row, length = len(self.lengths), layers[0].shape[2]
        self._reserve([kv.flatten(0, 1) for kv in layers], row + 1, length + room)
        for mine, kv in zip(self._layers, layers, strict=True):
            mine[row, :, :length] = kv.flatten(0, 1)
        self.lengths.append(length)

    def copy(self, row: int) -> Cache:
        """A row's keys and values."""
        seen = (kv[row, :, : self.lengths[row]] for kv in self._layers)
        return [kv.unflatten(0, (2, -1)).clone() for kv in seen]

    def remove(self, row: int) -> None:
        """Remove a row; the last one moves into its slot."""
        last = self.lengths.pop()
        if row != len(self.lengths):
            for kv in self._layers:
                kv[row] = kv[len(self.lengths)]
            self.lengths[row] = last

    def begin(self) -> Tensor | None:
        """Start a step of one token a row. Returns the mask to add to the scores [rows, 1, 1, longest], or
        None if all rows are equally long."""
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

    def place(self, layer: int) -> tuple[Tensor, Tensor]:
        """Where the step writes: all slots [slots, 2 * key heads, room, head width], and each row's position
        in its slot [rows]."""
        assert self._at is not None
        return self._layers[layer], self._at[1]

    def write(self, layer: int, k_RGD: Tensor, v_RGD: Tensor) -> tuple[Tensor, Tensor]:
        """Write the step's keys and values. Returns all keys, and all values, so far [rows, key heads,
        longest, head width]."""
        assert self._at is not None
        rows, tokens = self._at
        kv = self._layers[layer]
        kv[rows, :, tokens] = torch.cat([k_RGD, v_RGD], 1)
        seen = kv[: len(rows), :, : max(self.lengths)]
        keys, values = seen.chunk(2, 1)
        return keys, values

    def _reserve(self, like: Sequence[Tensor], rows: int, tokens: int) -> None:
        """Grow the slots so that `rows` of `tokens` fit. `like`: for each layer, a tensor like a slot in
        all but the number of tokens."""
        have_rows, have_tokens = (
            (self._layers[0].shape[0], self._layers[0].shape[2]) if self._layers else (0, 0)
        )
        if rows <= have_rows and tokens <= have_tokens:
            return
        new_rows = have_rows if rows <= have_rows else max(rows, 2 * have_rows)
        new_tokens = max(have_tokens, -(-tokens // self.GROWTH) * self.GROWTH)
        old, self._layers = self._layers, []
        for i, kv in enumerate(like):
            # Zeros, not garbage: a masked key may still be multiplied, and 0 * nan is nan.
            grown = kv.new_zeros((new_rows, kv.shape[0], new_tokens, kv.shape[2]))
            if old:
                grown[:have_rows, :, :have_tokens] = old[i]
            self._layers.append(grown)
