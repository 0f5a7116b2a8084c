"""Measuring a model: which of its answers to probes are right. No torch here."""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.engines.base import Engine
from nightschool.types import Probe


def passed(model: Engine, probes: Sequence[Probe], version: str) -> list[bool]:
    """Which probes a version answers right, greedily and with no session in its context."""
    return model.agrees([(p.prompt, p.answer) for p in probes], version) if probes else []
