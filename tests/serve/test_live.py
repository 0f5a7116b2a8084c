"""Which version answers, which adapters stay loaded, and what a night has written for a server to check."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from nightschool.config import Config, ServeConfig
from nightschool.engines.base import Engine
from nightschool.engines.scripted import ScriptedModel
from nightschool.errors import ModelNotFound, VersionError
from nightschool.learn.student import STUDENT
from nightschool.models.hf import HFModel
from nightschool.night.keep import keep
from nightschool.night.memory import LearnedLesson
from nightschool.night.queue import Plan
from nightschool.serve.batcher import Batcher
from nightschool.serve.live import MAX_LOADED, LiveModel
from nightschool.store import Store
from nightschool.types import BASE, LIVE, Probe, Verdict
from nightschool.versions import files
from tests.conftest import tiny_net, tiny_tokenizer
from tests.helpers import attested, promote, scripted_version


def with_live(engine: Engine, store: Store, use: Callable[[LiveModel], Awaitable[None]]) -> None:
    """Run `use` in an event loop, with a batcher that is stopped afterwards."""

    async def main() -> None:
        batcher = Batcher(engine, ServeConfig())
        batcher.start()
        try:
            await use(LiveModel(engine, store, batcher))
        finally:
            await asyncio.to_thread(batcher.stop)

    asyncio.run(main())


def test_names_that_mean_the_live_version(store: Store, home: Path) -> None:
    promote(store, "n@1", BASE, scripted_version(home, "n@1", attested()))

    async def use(live: LiveModel) -> None:
        assert live.answering == BASE
        for name in (LIVE, files.STEM, "scripted", "n@1"):
            assert await live.resolve(name) == "n@1"
        assert live.answering == "n@1"
        assert await live.resolve(BASE) == BASE
        with pytest.raises(ModelNotFound, match="'n@2': /v1/models lists them"):
            await live.resolve("n@2")

    with_live(ScriptedModel(lambda *_: ""), store, use)


def test_a_damaged_version_is_neither_loaded_nor_live(store: Store, home: Path) -> None:
    directory = scripted_version(home, "n@1", attested())
    promote(store, "n@1", BASE, directory)
    (directory / files.ATTEST).write_text(json.dumps(attested(-2.0)))
    model = ScriptedModel(lambda *_: "")

    async def use(live: LiveModel) -> None:
        assert await live.resolve(LIVE) == BASE
        with pytest.raises(VersionError, match="is damaged"):
            await live.resolve("n@1")

    with_live(model, store, use)
    assert not [call for call in model.calls if call.kind == "load"]
    assert store.versions.live() == BASE


def test_the_adapters_asked_least_recently_are_unloaded_but_never_the_live_one(
    store: Store, home: Path
) -> None:
    names = [f"n@{i}" for i in range(1, MAX_LOADED + 3)]
    for name, parent in zip(names, [BASE, *names], strict=False):
        promote(store, name, parent, scripted_version(home, name, attested()))
    store.versions.point_to("n@1", expect=names[-1])
    model = ScriptedModel(lambda *_: "")

    async def use(live: LiveModel) -> None:
        assert await live.resolve(LIVE) == "n@1"
        for name in names[1:MAX_LOADED]:
            await live.resolve(name)
        assert set(model.versions()) == set(names[:MAX_LOADED])
        await live.resolve("n@2")  # asked again, so n@3 is the oldest but for the live one
        await live.resolve(names[-2])
        await live.resolve(names[-1])
        assert set(model.versions()) == {*names} - {"n@3", "n@4"}
        assert await live.resolve("n@3") == "n@3"

    with_live(model, store, use)


@pytest.fixture
def kept(tiny: HFModel, store: Store, home: Path) -> Path:
    """A version as a night keeps and promotes it: a student with random weights, and one lesson."""
    student = tiny.fresh_adapter(4, 0)
    torch.manual_seed(0)
    for parameter in student.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    student.refresh()
    tiny.publish(STUDENT, student)
    probe = Probe("p", tuple(tiny.encode_answer("hi")), tuple(tiny.encode_answer("hello")))
    plan = Plan("d_1", ("s",), BASE, Config())
    store.dreams.start(plan.id, sessions=plan.sessions, parent=BASE, config={}, pid=1)
    verdict = Verdict(True, ())
    version = keep(tiny, store, home, plan, [LearnedLesson("s", probes=(probe,))], verdict)
    store.versions.promote(plan.id, version, verdict)
    return Path(version.path)


@pytest.mark.parametrize("same_weights", [True, False])
def test_a_server_checks_the_attestation_that_a_night_wrote(
    kept: Path, store: Store, same_weights: bool
) -> None:
    if not same_weights:  # other weights, and checksums that agree with them
        adapter = kept / "adapter_model.safetensors"
        tensors = load_file(adapter)
        save_file({name: -t if "lora_A" in name else t for name, t in tensors.items()}, adapter)
        record = files.provenance(kept)
        files.write_json(kept / files.PROVENANCE, {**record, "sha256": files.checksums(kept)})

    async def use(live: LiveModel) -> None:
        assert await live.resolve(LIVE) == ("nightschool@1" if same_weights else BASE)

    with_live(HFModel(tiny_net(), tiny_tokenizer(), "tiny"), store, use)
    refusal = store.versions.refusal()
    assert (refusal is None) is same_weights
    assert same_weights or (refusal and "does not answer as it was trained to" in refusal.detail)
