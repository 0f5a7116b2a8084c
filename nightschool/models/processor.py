"""What the processor can do."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def instructions() -> frozenset[str]:
    """Its instruction sets, in Linux' words (such as "avx512_bf16"); empty where nothing tells."""
    return frozenset(told("flags", "Features").split())


def told(*names: str) -> str:
    """What Linux says about the first core under the first of these names that is there, else ""."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(names)), "")
