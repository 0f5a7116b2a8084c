"""Which version answers: follows the live pointer, and attests every adapter before it may speak."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from nightschool.engines import base
from nightschool.errors import NightschoolError, NotFound, VersionError
from nightschool.serve.engine import Engine
from nightschool.store import Store
from nightschool.types import BASE, LIVE

log = logging.getLogger(__name__)
KEPT = 8  # adapters that stay loaded; the least recently asked go first
ATTEST = "attest.json"


class Versions:
    """The versions a server can answer with. `answering` is what `live` means at the moment."""

    def __init__(
        self, model: base.Engine, store: Store, engine: Engine, verify: Callable[[Path], None]
    ) -> None:
        self._model, self._store, self._engine, self._verify = model, store, engine, verify
        self._loaded: OrderedDict[str, None] = OrderedDict()
        self._swapping = asyncio.Lock()
        self._refused: str | None = None
        self.answering = BASE

    async def resolve(self, name: str) -> str:
        """The version that answers a request for `name`, loaded. Raises NotFound, VersionError."""
        if name in (LIVE, "nightschool", self._model.name):
            await self.follow()
            return self._touch(self.answering)
        if name != BASE and name not in self._loaded:
            await self._load(name)
        return self._touch(name)

    async def follow(self) -> None:
        """Answer with the version that the store says is live, once it has proved itself.

        Meanwhile, and where it is refused, the old one goes on answering.
        """
        if self._swapping.locked():
            return
        async with self._swapping:
            wanted = await asyncio.to_thread(self._store.live)
            if wanted in (self.answering, self._refused):
                return
            try:
                if wanted != BASE:
                    await self._load(wanted)
            except NightschoolError as e:
                self._refused = wanted
                log.error("refused %s: %s", wanted, e)
                await asyncio.to_thread(self._store.note_swap, wanted, ok=False, detail=str(e))
                return
            was, self.answering, self._refused = self.answering, wanted, None
            await asyncio.to_thread(self._store.note_swap, wanted, ok=True, detail=f"after {was}")

    async def _load(self, name: str) -> None:
        try:
            directory = Path((await asyncio.to_thread(self._store.version, name)).path)
        except NotFound as e:
            raise NotFound(f"there is no model {name!r}: /v1/models lists them") from e
        await asyncio.to_thread(self._verify, directory)
        await self._engine.call(lambda: self._admit(name, directory))
        self._loaded[name] = None
        while len(self._loaded) > KEPT:
            oldest = next(v for v in self._loaded if v != self.answering)
            del self._loaded[oldest]
            await self._engine.call(lambda gone=oldest: self._model.unload(gone))  # type: ignore[misc]

    def _admit(self, name: str, directory: Path) -> None:
        """On the model's thread: load, then compare with what the trainer saw."""
        self._model.load(name, directory)
        try:
            attest(self._model, name, directory)
        except VersionError:
            self._model.unload(name)
            raise

    def _touch(self, name: str) -> str:
        if name in self._loaded:
            self._loaded.move_to_end(name)
        return name


def attest(model: base.Engine, version: str, directory: Path) -> None:
    """Compare log-probabilities of fixed answers with those the trainer wrote down.

    Raises VersionError where they differ by more than the tolerance (nats, mean over all tokens), or where
    nothing was written down: weights that cannot prove themselves do not answer.
    """
    try:
        data = json.loads((directory / ATTEST).read_text())
        cases = data["cases"]
        pairs = [(case["prompt"], case["tokens"]) for case in cases]
        expected = [value for case in cases for value in case["logprobs"]]
        tolerance = float(data["tolerance"])
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise VersionError(f"version {version}: {ATTEST} cannot be read ({e!r})") from e
    if not expected:
        raise VersionError(f"version {version}: {ATTEST} holds nothing to compare")
    found = [value for row in model.score(pairs, version) for value in row]
    if len(found) != len(expected):
        raise VersionError(f"version {version}: {ATTEST} is damaged")
    apart = sum(abs(a - b) for a, b in zip(found, expected, strict=True)) / len(expected)
    if not apart <= tolerance:  # written so that nan is refused
        raise VersionError(
            f"version {version} does not answer as it was trained: log-probabilities differ by "
            f"{apart:.3f} nats per token (tolerance {tolerance})"
        )
