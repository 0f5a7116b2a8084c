"""One thread that owns the engine. A request joins the running batch at the next token."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

from nightschool.config import ServeConfig
from nightschool.engines.base import Batch, Engine, GenerateRequest, TokenOut

log = logging.getLogger(__name__)
T = TypeVar("T")


class Stream:
    """The tokens of one answer, as they are sampled. Iterate over it once, and `cancel` it to stop decoding.

    Iterating raises what decoding raised.
    """

    def __init__(self, request: GenerateRequest) -> None:
        self.request = request
        self.cancelled = False
        self.tokens: asyncio.Queue[TokenOut | Exception] = asyncio.Queue()

    async def __aiter__(self) -> AsyncIterator[TokenOut]:
        while True:
            item = await self.tokens.get()
            if isinstance(item, Exception):
                raise item
            yield item
            if item.finish:
                return

    def cancel(self) -> None:
        self.cancelled = True


class Batcher:
    """Decodes up to `max_batch` requests together; the others wait in the order in which they came."""

    def __init__(self, engine: Engine, config: ServeConfig) -> None:
        self._engine, self._config = engine, config
        self._inbox: queue.SimpleQueue[Stream | Callable[[], None] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)

    def start(self) -> None:
        """Start the thread. Call it on the event loop that all requests will come from."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for it; answers in progress raise ConnectionAbortedError."""
        self._inbox.put(None)
        self._thread.join()

    def submit(self, request: GenerateRequest) -> Stream:
        """Queue a request and return its stream of tokens. Call it on the event loop."""
        stream = Stream(request)
        self._inbox.put(stream)
        return stream

    async def call(self, work: Callable[[], T]) -> T:
        """Run `work` on the batcher's thread, between two steps; returns or raises what it does."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(setter: Callable[[Any], None], value: Any) -> None:
            if not done.done():
                setter(value)

        def job() -> None:
            try:
                result = work()
            except Exception as e:  # noqa: BLE001 - whatever it is, the caller gets it
                loop.call_soon_threadsafe(settle, done.set_exception, e)
            else:
                loop.call_soon_threadsafe(settle, done.set_result, result)

        self._inbox.put(job)
        return await done

    def _run(self) -> None:
        batch, running, waiting = self._batch(), dict[int, Stream](), list[Stream]()
        while True:
            if not self._receive(waiting, block=not (running or waiting)):
                break
            waiting = [s for s in waiting if not s.cancelled]
            for row in [row for row, stream in running.items() if stream.cancelled]:
                batch.cancel(row)
                del running[row]
            try:
                self._join(batch, running, waiting)
                self._deliver(batch, running)
            except Exception as e:
                log.exception("decoding failed")
                self._hand_over([(stream, e) for stream in running.values()])
                batch, running = self._batch(), {}
        down = ConnectionAbortedError("the server is going down")
        self._hand_over([(stream, down) for stream in [*running.values(), *waiting]])

    def _batch(self) -> Batch:
        config = self._config
        return self._engine.batch(
            prefill_chunk=config.prefill_chunk or self._engine.prefill_chunk,
            prefix_cache_tokens=config.prefix_cache_tokens,
        )

    def _receive(self, waiting: list[Stream], *, block: bool) -> bool:
        """Take everything out of the inbox; `block` waits for a first item. Returns False if told to stop."""
        while block or not self._inbox.empty():
            item = self._inbox.get()
            block = False
            if item is None:
                return False
            if isinstance(item, Stream):
                waiting.append(item)
            else:
                item()
        return True

    def _join(self, batch: Batch, running: dict[int, Stream], waiting: list[Stream]) -> None:
        while waiting and len(running) < self._config.max_batch:
            stream = waiting.pop(0)
            try:
                running[batch.add([stream.request])[0]] = stream
            except Exception as e:  # noqa: BLE001 - the other requests can still be answered
                self._hand_over([(stream, e)])

    def _deliver(self, batch: Batch, running: dict[int, Stream]) -> None:
        if not running:
            return
        outputs = list[tuple[Stream, TokenOut | Exception]]()
        for token in batch.step():
            stream = running.get(token.row)
            if stream is None:
                continue
            if token.finish:
                del running[token.row]
            outputs.append((stream, token))
        if outputs:  # a step that only prefilled prompts wakes nobody
            self._hand_over(outputs)

    def _hand_over(self, items: Sequence[tuple[Stream, TokenOut | Exception]]) -> None:
        """Put items into their streams, all in one call: waking the event loop costs more than a token."""

        def put() -> None:
            for stream, item in items:
                stream.tokens.put_nowait(item)

        assert self._loop
        try:
            self._loop.call_soon_threadsafe(put)
        except RuntimeError:  # the loop was closed: the server went down under these requests
            for stream, _ in items:
                stream.cancelled = True
