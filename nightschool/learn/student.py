"""The student: the weights that learn, and all that a checkpoint keeps of a training."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from nightschool.config import LearnConfig
from nightschool.engines.base import Engine
from nightschool.learn import checkpoint
from nightschool.models.lora import Adapter

STUDENT = "student"  # the name under which the learning weights answer


@dataclass
class Progress:
    """Where a training stands; saved with every checkpoint."""

    step: int = 0
    best_step: int = 0  # the one that is kept
    best_accuracy: float = -1.0
    history: list[tuple[int, float]] = field(default_factory=list)  # (step, accuracy on steering probes)
    tokens: int = 0  # sampled by the student
    rule: str = ""  # that `auto` chose
    share: float = 1.0  # of the way from the start that is kept (`learn.interpolate`)

    @property
    def accuracy(self) -> float | None:
        """The newest measurement."""
        return self.history[-1][1] if self.history else None

    @property
    def kept_accuracy(self) -> float:
        """The measurement at the step that is kept."""
        return dict(self.history)[self.best_step]


class Student:
    """Trains `adapter` in place; continues from the newest checkpoint in `folder`, if there is one.

    What is measured and kept is the moving average of the weights, which is steadier than they are at any one
    step (Polyak averaging, as in arXiv 1703.01780).
    """

    def __init__(self, adapter: Adapter, config: LearnConfig, folder: Path) -> None:
        adapter.trainable(True)
        self.adapter, self.average, self.best = adapter, adapter.copy(), adapter.copy()
        self.progress = Progress()
        self._config, self._folder = config, folder
        self._optimizer = torch.optim.AdamW(adapter.parameters(), lr=config.lr, weight_decay=0.0)
        if saved := checkpoint.load(folder, self._adapters(), self._optimizer):
            history = [(step, accuracy) for step, accuracy in saved["history"]]
            self.progress = Progress(**{**saved, "history": history})

    def descend(self, step: int) -> None:
        """One update by the gradient that has been accumulated."""
        torch.nn.utils.clip_grad_norm_(self.adapter.parameters(), self._config.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.adapter.refresh()
        # The first steps leave the average sooner, or it would hang on to where all began.
        self.average.approach(self.adapter, 1 - min(self._config.ema_decay, (2 + step) / (5 + step)))

    def keep_average(self) -> None:
        """The average as it is now is the best so far."""
        self.progress.best_step, self.best = self.progress.step, self.average.copy()

    def save(self) -> None:
        """Write a checkpoint."""
        checkpoint.save(self._folder, asdict(self.progress), self._adapters(), self._optimizer)

    def finish(self, engine: Engine) -> None:
        """Leave the adapter, and what answers as STUDENT, at the best average."""
        self.adapter.trainable(False)
        self.adapter.approach(self.best, 1.0)
        self.adapter.refresh()
        engine.publish(STUDENT, self.adapter)

    def _adapters(self) -> list[Adapter]:
        return [self.adapter, self.average, self.best]
