"""The batcher's thread: who shares a step with whom."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nightschool.config import ServeConfig
from nightschool.engines.base import GenerateRequest, Sampling
from nightschool.engines.scripted import ScriptedModel
from nightschool.errors import ModelError, VersionError
from nightschool.serve.batcher import Batcher, Stream
from nightschool.types import BASE


def request(version: str = BASE, max_tokens: int = 100) -> GenerateRequest:
    return GenerateRequest((65,), Sampling(max_tokens), version)


async def said(stream: Stream) -> str:
    return "".join([chr(t.token) async for t in stream if t.token])


def with_batcher(
    model: ScriptedModel, max_batch: int, use: Callable[[Batcher], Awaitable[None]]
) -> ScriptedModel:
    """Run `use` in an event loop with a batcher that starts when `use` says so, and stop it."""

    async def main() -> None:
        batcher = Batcher(model, ServeConfig(max_batch=max_batch))
        await use(batcher)
        await asyncio.to_thread(batcher.stop)

    asyncio.run(main())
    return model


def steps(model: ScriptedModel) -> list[tuple[str, ...]]:
    return [call.versions for call in model.calls if call.kind == "step"]


def test_requests_of_several_versions_share_a_step() -> None:
    model = ScriptedModel(lambda _, version: version)
    model.load("n@1", Path())

    async def use(batcher: Batcher) -> None:
        streams = [batcher.submit(request(v)) for v in (BASE, "n@1", BASE)]
        batcher.start()
        assert await asyncio.gather(*map(said, streams)) == [BASE, "n@1", BASE]

    assert steps(with_batcher(model, 8, use))[0] == (BASE, "n@1", BASE)


def test_more_than_fit_wait_their_turn() -> None:
    async def use(batcher: Batcher) -> None:
        streams = [batcher.submit(request()) for _ in range(5)]
        batcher.start()
        assert await asyncio.gather(*map(said, streams)) == ["hello"] * 5

    assert max(map(len, steps(with_batcher(ScriptedModel(lambda *_: "hello"), 2, use)))) == 2


def test_a_cancelled_answer_leaves_the_batch() -> None:
    async def use(batcher: Batcher) -> None:
        gone, stays = batcher.submit(request(max_tokens=10**6)), batcher.submit(request())
        gone.cancel()
        batcher.start()
        assert await said(stays) == "hi"

    # Six rows in all would be one too many: the cancelled one never joined or left at once.
    assert all(len(step) == 1 for step in steps(with_batcher(ScriptedModel(lambda *_: "hi"), 8, use)))


def test_a_request_that_cannot_join_fails_alone() -> None:
    async def use(batcher: Batcher) -> None:
        lost, fine = batcher.submit(request("nobody@1")), batcher.submit(request())
        batcher.start()
        assert await said(fine) == "hi"
        with pytest.raises(VersionError):
            await said(lost)

    with_batcher(ScriptedModel(lambda *_: "hi"), 8, use)


def test_a_broken_step_fails_its_answers_and_no_later_one() -> None:
    model = ScriptedModel(lambda *_: "\N{BOMB}")

    async def use(batcher: Batcher) -> None:
        batcher.start()
        with pytest.raises(ModelError):
            await said(batcher.submit(request()))
        model.script = lambda *_: "fine"
        assert await said(batcher.submit(request())) == "fine"

    with_batcher(model, 8, use)


def test_work_runs_between_steps_and_its_error_comes_back() -> None:
    async def use(batcher: Batcher) -> None:
        batcher.start()
        assert await batcher.call(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await batcher.call(lambda: 1 // 0)

    with_batcher(ScriptedModel(lambda *_: ""), 8, use)
