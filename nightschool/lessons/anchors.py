"""General requests that have nothing to do with any session; they ship with the package."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from nightschool.engines.base import Engine
from nightschool.types import Message

PROBE_EVERY = 5  # the file is sorted by kind, so both shares cover all kinds


@cache
def _all() -> tuple[str, ...]:
    text = (files("nightschool.lessons") / "anchors.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line)


def practice_anchors() -> tuple[str, ...]:
    """Four in five: where the student is held to the live version in training."""
    return tuple(text for i, text in enumerate(_all()) if i % PROBE_EVERY)


def probe_anchors() -> tuple[str, ...]:
    """One in five: never trained on; the gate measures the drift there."""
    return _all()[::PROBE_EVERY]


def encoded(model: Engine, texts: Iterable[str]) -> list[tuple[int, ...]]:
    """The prompt of each, asked by itself."""
    return [tuple(model.encode([Message("user", text)])) for text in texts]
