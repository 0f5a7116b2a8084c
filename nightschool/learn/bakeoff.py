"""`auto`: several rules learn for a few steps each; the one that held-back practice likes best goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nightschool.config import LearnConfig
from nightschool.learn.trainer import Progress
from nightschool.models.lora import Adapter

CANDIDATES = ("opsd", "trd-from-error", "opsd+rlvr")  # cheapest first: of equals the first wins
Train = Callable[[str, int, Adapter, Path], Progress]  # a rule's name, steps in all, student, folder


def bakeoff(train: Train, config: LearnConfig, student: Adapter, folder: Path) -> Progress:
    """Each candidate gets `config.auto.bakeoff_steps` from the same start; the winner's own checkpoint goes
    on to all steps, so that nothing of what it did is lost. Leaves the result in `student`."""
    trial = min(config.auto.bakeoff_steps, config.steps)
    found = {name: train(name, trial, student.copy(), folder / name) for name in CANDIDATES}
    winner = max(CANDIDATES, key=lambda name: found[name].best_accuracy)
    progress = train(winner, config.steps, student, folder / winner)
    progress.rule = winner
    return progress
