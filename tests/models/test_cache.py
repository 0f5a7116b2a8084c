"""Key-value caches."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from nightschool.engines.base import common_beginning, common_length
from nightschool.models.cache import (
    Cache,
    PrefixPool,
    RowCache,
    joined,
    length,
)


def test_the_pool_is_bounded_and_the_least_recently_used_goes_first() -> None:
    def cache(n: int) -> Cache:
        return [torch.arange(n).float().expand(2, 1, n).unsqueeze(-1)]

    pool = PrefixPool(100)
    a, b, c = (tuple(range(start, start + 40)) for start in (0, 100, 200))
    pool.put("base", a, cache(40))
    pool.put("base", b, cache(40))
    assert length(pool.longest_prefix("base", (*a[:20], 7, 8))) == 20
    pool.put("base", c, cache(40))  # b was not asked for
    assert pool.longest_prefix("base", (*b, 1)) is None
    assert length(pool.longest_prefix("base", a)) == 39
    pool.put("base", (*a, *range(50)), cache(90))  # takes a's place
    assert length(pool.longest_prefix("base", (*a, 0, 1, 9))) == 42
    assert pool.longest_prefix("base", (*c, 1)) is None
    assert pool.longest_prefix("other@1", (*a, 0)) is None
    pool.put("base", tuple(range(101)), cache(101))  # larger than all there is
    assert length(pool.longest_prefix("base", (*a, 0, 1, 9))) == 42


rows = st.lists(st.integers(0, 1), min_size=1, max_size=6)


@given(rows, rows)
def test_common_beginning(a: list[int], b: list[int]) -> None:
    n = common_beginning(a, b)
    assert a[:n] == b[:n]
    assert n == min(len(a), len(b)) or a[n] != b[n]


@given(st.lists(rows, min_size=1, max_size=4))
def test_common_length_leaves_every_row_a_token(prompts: list[list[int]]) -> None:
    n = common_length(prompts)
    assert len({tuple(prompt[:n]) for prompt in prompts}) == 1
    longer = {tuple(prompt[: n + 1]) for prompt in prompts}
    assert len(longer) > 1 or n + 1 == min(map(len, prompts))


def kv(seed: int, tokens: int) -> Cache:
    """Of a row in a model of two layers."""
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 3, tokens, 4, generator=rng) for _ in range(2)]


def test_joined_puts_what_came_after_behind_the_past() -> None:
    whole = kv(1, 9)
    parts = [x[:, :, :5] for x in whole], [x[:, :, 5:] for x in whole]
    torch.testing.assert_close(joined(*parts), whole)
    assert joined(None, whole) is whole
    assert (length(None), length(whole)) == (0, 9)


def test_rows_keep_what_is_theirs_as_others_come_go_and_grow() -> None:
    cache, expected = RowCache(), [kv(i, n) for i, n in enumerate((5, 70, 2))]
    for row in expected:
        cache.add(row, room=1)
    cache.remove(0)  # the last one takes its slot
    expected = [expected[2], expected[1]]
    for step in range(RowCache.GROWTH + 1):  # past the end of a slot
        new = kv(10 + step, len(expected))  # a token for each row
        cache.begin()
        for layer, x in enumerate(new):
            k, v = x.transpose(1, 2)
            keys, values = cache.write(layer, k, v)
            assert keys.shape == values.shape == (2, 3, max(cache.lengths), 4)
        expected = [joined(row, [x[:, :, i : i + 1] for x in new]) for i, row in enumerate(expected)]
    for i, row in enumerate(expected):
        torch.testing.assert_close(cache.copy(i), row)


def test_a_steps_mask_hides_what_is_behind_each_row() -> None:
    cache = RowCache()
    for n in (3, 5):
        cache.add(kv(n, n), room=1)
    mask = cache.begin()
    assert mask is not None
    assert mask[:, 0, 0].tolist() == [[0.0] * 4 + [-torch.inf] * 2, [0.0] * 6]
    cache.remove(0)
    assert cache.begin() is None
