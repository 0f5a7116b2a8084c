"""Orders, and seeds that depend on what is sampled, never on its place in a list: so a dream that is resumed,
or replayed without one session, samples the rest as before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import TypeVar

_T = TypeVar("_T")


def seed_of(*parts: object) -> int:
    """63 bits that are a function of the parts (numbers, texts and tuples of them), in every process."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8]) >> 1


def shuffled(items: Sequence[_T], *seed: object, key: Callable[[_T], object] = repr) -> list[_T]:
    """In an order that the seed and each item's key decide: without one of them, the others keep theirs."""
    return sorted(items, key=lambda item: seed_of(*seed, key(item)))


def in_turns(rows: Sequence[Sequence[_T]]) -> list[_T]:
    """The first of each row, the second of each, and so on."""
    return [item for turn in zip_longest(*rows) for item in turn if item is not None]
