"""Several asynchronous generators as one."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from nightschool.serve.merge import merged


async def counting(name: str, to: int, closed: list[str], fail: bool = False) -> AsyncGenerator[str]:
    try:
        for i in range(to):
            await asyncio.sleep(0)
            yield f"{name}{i}"
        if fail:
            raise ValueError(name)
    finally:
        closed.append(name)


def collect(sources: list[AsyncGenerator[str]]) -> list[str]:
    async def main() -> list[str]:
        return [item async for item in merged(sources)]

    return asyncio.run(main())


@pytest.mark.parametrize("names", ["a", "ab", "abc"])
def test_all_items_come_each_source_in_its_order(names: str) -> None:
    closed: list[str] = []
    got = collect([counting(name, 3, closed) for name in names])
    assert sorted(got) == sorted(f"{name}{i}" for name in names for i in range(3))
    assert all([g for g in got if g[0] == name] == [f"{name}{i}" for i in range(3)] for name in names)
    assert sorted(closed) == [*names]


@pytest.mark.parametrize("names", ["a", "ab"])
def test_what_one_raises_ends_all(names: str) -> None:
    closed: list[str] = []
    sources = [counting(name, 1 if name == "a" else 9, closed, fail=name == "a") for name in names]
    with pytest.raises(ValueError, match="a"):
        collect(sources)
    assert sorted(closed) == [*names]
