"""Key-value caches."""

import torch

from nightschool.models.cache import Cache, PrefixPool, length


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
