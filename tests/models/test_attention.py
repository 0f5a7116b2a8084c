"""Attention of packed, continued and decoded rows against the formula, one row at a time."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor

from nightschool.models.attention import Continued, Decoding, Packed, attend, merge
from nightschool.models.cache import Cache, PrefixCache, RowCache

HEADS, GROUPS, WIDTH = 6, 2, 8


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def qkv(seed: int, tokens: int) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v = drawn(seed, tokens, HEADS + 2 * GROUPS, WIDTH).split([HEADS, GROUPS, GROUPS], 1)
    return q, k, v


def past(seed: int, tokens: int) -> Cache:
    """Of a model of one layer."""
    return [drawn(seed, 2, GROUPS, tokens, WIDTH)]


def plain(q_THD: Tensor, k_TGD: Tensor, v_TGD: Tensor, before: Cache | None = None) -> Tensor:
    """Causal attention of one row [tokens, heads, head width], by the formula."""
    keys, values = k_TGD.transpose(0, 1), v_TGD.transpose(0, 1)
    if before:
        keys, values = torch.cat([before[0][0], keys], 1), torch.cat([before[0][1], values], 1)
    keys, values = (x.repeat_interleave(HEADS // GROUPS, 0) for x in (keys, values))
    scores = q_THD.transpose(0, 1) @ keys.transpose(1, 2) / WIDTH**0.5
    tokens, seen = scores.shape[1:]
    hidden = torch.arange(seen)[None] > torch.arange(tokens)[:, None] + seen - tokens
    out: Tensor = scores.masked_fill(hidden, -torch.inf).softmax(-1) @ values
    return out.transpose(0, 1)


SHARED, OWN = past(90, 11), past(91, 5)
PASTS: list[list[Cache | None]] = [[], [SHARED] * 3, [None, OWN, None], [SHARED, SHARED, OWN]]


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("pasts", PASTS, ids=["none", "shared", "some", "two"])
def test_packed_rows_see_themselves_and_their_pasts(pasts: list[Cache | None], gradients: bool) -> None:
    lengths = [4, 1, 7]
    rows = [qkv(i, n) for i, n in enumerate(lengths)]
    q, k, v = (torch.cat(parts) for parts in zip(*rows, strict=True))
    attention = Packed(lengths, pasts, record=True)
    with nullcontext() if gradients else torch.no_grad():
        found = attention(0, q, k, v)
    expected = [plain(*row, before) for row, before in zip(rows, pasts or [None] * 3, strict=True)]
    torch.testing.assert_close(found, torch.cat(expected))
    (recorded,) = attention.recorded
    assert torch.equal(recorded, torch.stack([k.transpose(0, 1), v.transpose(0, 1)]))


def test_continued_rows_and_their_gradients_are_those_of_rows_alone() -> None:
    lengths, caches = [3, 6, 1], [past(7, 4), past(8, 9), past(9, 2)]
    rows = [qkv(i, n) for i, n in enumerate(lengths)]
    packed = [torch.cat(parts).requires_grad_() for parts in zip(*rows, strict=True)]
    attention = Continued(lengths, caches)
    found = attention(0, *packed)
    by_row = zip(*(x.split(lengths) for x in packed), strict=True)
    expected = torch.cat([plain(q, k, v, cache) for (q, k, v), cache in zip(by_row, caches, strict=True)])
    torch.testing.assert_close(found, expected)
    upstream = drawn(5, *found.shape)
    gradients = torch.autograd.grad(found, packed, upstream)
    torch.testing.assert_close(gradients, torch.autograd.grad(expected, packed, upstream))


@pytest.mark.parametrize("prefix", [0, 13])
@pytest.mark.parametrize("lengths", [[5, 2, 9], [4, 4, 4]], ids=["uneven", "even"])
@torch.no_grad()
def test_decoded_rows_see_all_before_them_and_are_written(lengths: list[int], prefix: int) -> None:
    shared = PrefixCache(tuple(range(prefix)), past(50, prefix)) if prefix else None
    cache, seen = RowCache(), [past(i, n)[0] for i, n in enumerate(lengths)]
    for own in seen:
        cache.add([own], room=1)
    for step in range(3):
        q, k, v = qkv(20 + step, len(lengths))
        found = Decoding(cache, shared)(0, q, k, v)
        new = torch.stack([k, v])  # [2, rows, key heads, head width]
        for row, own in enumerate(seen):
            before = [torch.cat([shared.layers[0], own], 2)] if shared else [own]
            one = slice(row, row + 1)
            torch.testing.assert_close(found[one], plain(q[one], k[one], v[one], before))
        seen = [torch.cat([own, new[:, row, :, None]], 2) for row, own in enumerate(seen)]
    for row, own in enumerate(seen):
        assert torch.equal(cache.copy(row)[0], own)


@torch.no_grad()
def test_merged_parts_are_attention_to_all_keys() -> None:
    q, k, v = (drawn(seed, 1, HEADS, tokens, WIDTH) for seed, tokens in ((1, 3), (2, 20), (3, 20)))
    whole, _ = attend(q, k, v)
    parts = [attend(q, k[:, :, some], v[:, :, some]) for some in (slice(12), slice(12, None))]
    torch.testing.assert_close(merge(*parts), whole)
