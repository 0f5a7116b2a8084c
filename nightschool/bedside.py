"""Watching a dream from the terminal: a progress bar, and the verdict afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nightschool.config import Config
from nightschool.night import Outcome
from nightschool.night import dream as run_night
from nightschool.store import Store


def dream(
    config: Config, home: Path, sessions: Sequence[str], dream_id: str | None, console: Console
) -> Outcome:
    """Run a night with a live progress bar on `console`. Raises what `night.dream` does."""
    from nightschool.learn.trainer import StepReport
    from nightschool.models import hf
    from nightschool.night import resume_or_start

    with closing(Store.open(home)) as store, _bar(console) as bar:
        plan = resume_or_start(store, config, sessions, dream_id)  # before the model: nothing to do is cheap
        task = bar.add_task("loading the model", total=None, numbers="")

        def stage(name: str) -> None:
            bar.update(task, description=name)

        def report(step: StepReport) -> None:
            bar.update(task, total=step.steps, completed=step.step, numbers=_numbers(step))

        model = hf.load(plan.config.model)
        return run_night(model, store, home, plan, report=report, stage=stage)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:.0f}/{task.total}"),
        TextColumn("{task.fields[numbers]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _numbers(step: object) -> str:
    from nightschool.learn.trainer import StepReport

    assert isinstance(step, StepReport)
    accuracy = "-" if step.accuracy is None else f"{step.accuracy:.2f}"
    return f"loss {step.loss:.3f}  {step.rollouts_per_s:.1f} rollouts/s  held back {accuracy}"


def print_outcome(outcome: Outcome, console: Console) -> None:
    """The verdict, its numbers and its reasons."""
    numbers = outcome.verdict.numbers
    for kind in ("new", "earlier"):
        for session, rates in numbers[kind].items():
            console.print(
                f"{kind} lesson {session}: {rates['before']:.2f} -> {rates['after']:.2f} "
                f"of {rates['n']} held-back requests",
                markup=False,
            )
    console.print(f"drift on unrelated requests: {numbers['kl_to_base']:.3f} nats per token")
    if outcome.version:
        console.print(f"promoted: {outcome.version} is live ({outcome.seconds:.0f} s)", style="green")
        return
    for reason in outcome.verdict.reasons:
        console.print(f"rejected: {reason}", style="red", markup=False)
