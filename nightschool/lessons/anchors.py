"""Anchors: general requests (`anchors.txt`) that have nothing to do with any session."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from nightschool.engines.base import Engine
from nightschool.types import Message

PROBE_EVERY = 5  # 40 of the 200; the file is sorted by kind, so both parts cover every kind


@cache
def _all() -> tuple[str, ...]:
    text = (files("nightschool.lessons") / "anchors.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line)


def practice_anchors() -> tuple[str, ...]:
    """Four in five of the anchors: on these, training keeps the student close to the base model."""
    return tuple(text for i, text in enumerate(_all()) if i % PROBE_EVERY)


def probe_anchors() -> tuple[str, ...]:
    """One in five of the anchors: never trained on; the gate measures the drift on these."""
    return _all()[::PROBE_EVERY]


def encoded(model: Engine, texts: Iterable[str]) -> list[tuple[int, ...]]:
    """Each text as the prompt of a conversation of its own."""
    return [tuple(model.encode([Message("user", text)])) for text in texts]
