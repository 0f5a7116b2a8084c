"""Who looks on while a dream goes through its stages."""

from __future__ import annotations

from typing import Protocol

from nightschool.learn.trainer import StepReport


class Watch(Protocol):
    """A progress bar, say."""

    def stage(self, name: str) -> None:
        """One of the eight stages begins."""

    def step(self, step: StepReport) -> None:
        """A step of the training is done."""


class Unwatched:
    """Nobody looks on."""

    def stage(self, name: str) -> None: ...

    def step(self, step: StepReport) -> None: ...


UNWATCHED = Unwatched()
