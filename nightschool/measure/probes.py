"""Which probes a version answers right."""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.engines.base import Engine
from nightschool.types import Probe


def passed(model: Engine, probes: Sequence[Probe], version: str) -> list[bool]:
    """For each probe, whether greedy decoding gives exactly its answer, with no session in the context.

    Raises VersionError, ContextTooLong.
    """
    return model.agrees([(p.prompt, p.answer) for p in probes], version) if probes else []
