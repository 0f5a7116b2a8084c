"""The processor's features, from /proc/cpuinfo."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def instructions() -> frozenset[str]:
    """The processor's instruction sets under Linux's names, such as "avx512_bf16"; empty on other systems."""
    return frozenset(cpuinfo("flags", "Features").split())


def cpuinfo(*names: str) -> str:
    """The value of the first line that begins with one of these names, or "" if there is none."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(names)), "")
