"""The observer of a dream: told of its stages and training steps."""

from __future__ import annotations

from typing import Protocol

from nightschool.learn.trainer import StepReport


class Watch(Protocol):
    """What a dream reports to, such as a progress bar."""

    def stage(self, name: str) -> None:
        """One of the eight stages begins."""

    def step(self, step: StepReport) -> None:
        """A step of the training is done."""


class Unwatched:
    """Ignores everything."""

    def stage(self, name: str) -> None: ...

    def step(self, step: StepReport) -> None: ...


UNWATCHED = Unwatched()
