"""Several asynchronous generators as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def merged(sources: Sequence[AsyncGenerator[T]]) -> AsyncIterator[T]:
    """Yield what each source yields, as it comes. What one of them raises ends all."""
    if len(sources) == 1:  # most requests want one answer: no task and no queue in between
        async with aclosing(sources[0]) as only:
            async for item in only:
                yield item
        return
    arrived = asyncio.Queue[tuple[T] | Exception | None]()  # an item, what ended a source early, or its end

    async def take(source: AsyncGenerator[T]) -> None:
        try:
            async with aclosing(source):
                async for item in source:
                    arrived.put_nowait((item,))
        except Exception as e:  # noqa: BLE001 - raised below, where the items are waited for
            arrived.put_nowait(e)
        arrived.put_nowait(None)

    tasks = [asyncio.create_task(take(source)) for source in sources]
    try:
        running = len(tasks)
        while running:
            found = await arrived.get()
            if isinstance(found, Exception):
                raise found
            if found is None:
                running -= 1
            else:
                yield found[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
