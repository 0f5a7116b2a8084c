"""Which probes a version answers right."""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.engines.base import Engine
from nightschool.types import Probe


def passed(model: Engine, probes: Sequence[Probe], version: str) -> list[bool]:
    """For each probe, whether the version answers it right (`learn.examples.passed`), with no session in the
    context."""
    from nightschool.learn import examples  # here, because it imports torch

    return examples.passed(model, probes, version)
