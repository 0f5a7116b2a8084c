"""What the processor can do."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def instructions() -> frozenset[str]:
    """Its instruction sets, in Linux' words (such as "avx512_bf16"); empty where nothing tells."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    line = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return frozenset(line.partition(":")[2].split())
