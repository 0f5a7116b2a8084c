"""Which version answers: the live pointer is followed, and every adapter is attested before it may answer."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from pathlib import Path

from nightschool.engines.base import Engine
from nightschool.errors import ModelNotFound, NightschoolError, NotFound, VersionError
from nightschool.serve.batcher import Batcher
from nightschool.store import Store
from nightschool.types import BASE, LIVE
from nightschool.versions import attest, files

log = logging.getLogger(__name__)
MAX_LOADED = 8  # adapters in memory (20 MB each for the embedded model); the least recently asked go first


class LiveModel:
    """The versions that a server can answer with. `answering` is the one that `live` means at the moment."""

    def __init__(self, engine: Engine, store: Store, batcher: Batcher) -> None:
        self._engine, self._store, self._batcher = engine, store, batcher
        self._loaded: OrderedDict[str, None] = OrderedDict()
        self._swapping = asyncio.Lock()
        self._followed: int | None = None  # number of the pointer followed last
        self.answering = BASE

    async def resolve(self, name: str) -> str:
        """The version that answers requests for model `name`, loaded. Raises ModelNotFound, VersionError."""
        if name in (LIVE, files.STEM, self._engine.name, *self._engine.aliases):
            await self.follow()
            return self._touch(self.answering)
        if name != BASE and name not in self._loaded:
            await self._load(name)
        return self._touch(name)

    async def follow(self) -> None:
        """Answer with the version at the live pointer. If that is refused, answer with its newest ancestor
        that passes attestation, which is the live version then (`store.versions.live`). Until this is
        decided, the previous version keeps answering.
        """
        if self._swapping.locked():
            return
        async with self._swapping:
            versions = self._store.versions
            pointer = await asyncio.to_thread(versions.pointer)
            if pointer.number == self._followed:
                return
            lineage = await asyncio.to_thread(versions.lineage, pointer.version)
            for name in [*(version.name for version in reversed(lineage)), BASE]:
                if await self._swap(name):
                    break
            self._followed = pointer.number

    async def _swap(self, name: str) -> bool:
        """Answer with version `name`, and record that. Returns False, and records why, if it is refused."""
        if name == self.answering and name in self._loaded:
            return True
        try:
            if name != BASE:
                await self._load(name)
        except NightschoolError as e:
            log.error("refused %s: %s", name, e)
            await asyncio.to_thread(self._store.versions.note_swap, name, ok=False, detail=str(e))
            return False
        previous, self.answering = self.answering, name
        if name != previous:
            await asyncio.to_thread(self._store.versions.note_swap, name, ok=True, detail=f"after {previous}")
        return True

    async def _load(self, name: str) -> None:
        try:
            directory = Path((await asyncio.to_thread(self._store.versions.get, name)).path)
        except NotFound as e:
            raise ModelNotFound(f"there is no model {name!r}: /v1/models lists them") from e
        await asyncio.to_thread(files.verify, directory)
        await self._batcher.call(lambda: self._admit(name, directory))
        self._loaded[name] = None
        while len(self._loaded) > MAX_LOADED:
            oldest = next(v for v in self._loaded if v != self.answering)
            del self._loaded[oldest]
            await self._batcher.call(lambda gone=oldest: self._engine.unload(gone))  # type: ignore[misc]

    def _admit(self, name: str, directory: Path) -> None:
        """On the batcher's thread: load, then compare with what the trainer saw. Raises VersionError."""
        self._engine.load(name, directory)
        try:
            attest.check(self._engine, name, directory)
        except VersionError:
            self._engine.unload(name)
            raise

    def _touch(self, name: str) -> str:
        if name in self._loaded:
            self._loaded.move_to_end(name)
        return name
