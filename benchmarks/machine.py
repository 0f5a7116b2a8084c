"""Keeping a number, and naming the machine that it is from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nightschool.bench.machine import describe

__all__ = ["describe", "write"]


def write(out: Path | None, result: dict[str, Any]) -> None:
    """A benchmark's result as OUT.json, where one is wanted."""
    if out:
        out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
