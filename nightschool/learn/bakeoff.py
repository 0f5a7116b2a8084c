"""`auto`: several rules learn for a few steps each; the one that steering probes like best goes on."""

from __future__ import annotations

from pathlib import Path

from nightschool.learn.rule import RuleContext
from nightschool.learn.rules import make
from nightschool.learn.student import Progress, Student
from nightschool.learn.trainer import Practice, Report, train
from nightschool.models.lora import Adapter

CANDIDATES = ("opsd", "trd-from-error", "opsd+rlvr")  # cheapest first: of equals the first wins


def bakeoff(
    context: RuleContext, practice: Practice, adapter: Adapter, folder: Path, report: Report
) -> Progress:
    """Each candidate gets `learn.auto.bakeoff_steps` from the same start; the winner goes on from its own
    checkpoint to all steps, so that nothing of what it did is lost. Leaves the result in `adapter`."""
    config = context.config
    trial = min(config.auto.bakeoff_steps, config.steps)

    def run(name: str, start: Adapter, steps: int) -> Progress:
        student = Student(start, config, folder / name)
        return train(context, make(name, context), practice, student, steps, report)

    tried = {name: run(name, adapter.copy(), trial) for name in CANDIDATES}
    winner = max(CANDIDATES, key=lambda name: tried[name].best_accuracy)
    progress = run(winner, adapter, config.steps)
    progress.rule = winner
    return progress
