"""A dream shown in the terminal: a progress bar, and the verdict afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from nightschool.cli.text import literal
from nightschool.config import Config
from nightschool.store import Store

if TYPE_CHECKING:
    from nightschool.learn.trainer import StepReport
    from nightschool.night.outcome import Outcome


def dream(config: Config, home: Path, sessions: Sequence[str], console: Console) -> Outcome:
    """Run a dream, shown live on `console`. Raises DreamError if one is running, and what
    `queue.resume_or_start` and `night.dream.dream` raise.
    """
    from nightschool.night import queue

    with closing(Store.open(home)) as store, store.dreams.lock():
        # Before the model is loaded, since finding that there is nothing to do is cheap.
        plan = queue.resume_or_start(store, config, sessions)
        with _watching(console) as watch:
            from nightschool.models import hf
            from nightschool.night.dream import dream as dream_it

            model = hf.load(plan.config.model)
            return dream_it(model, store, home, plan, watch=watch)


@dataclass
class _Watch:
    """Shows stages and steps (`night.watch`): as a moving bar on a terminal, otherwise as lines."""

    console: Console
    bar: Progress
    task: TaskID

    def stage(self, name: str) -> None:
        if self.console.is_terminal:
            self.bar.update(self.task, description=name, numbers="")
        else:
            self._line(name)

    def step(self, step: StepReport) -> None:
        numbers = _numbers(step)
        if self.console.is_terminal:
            self.bar.update(self.task, numbers=numbers, total=step.steps, completed=step.step)
        else:
            self._line(f"step {step.step}/{step.steps}  {numbers}")

    def _line(self, text: str) -> None:
        elapsed = _minutes(self.bar.tasks[0].elapsed)
        self.console.print(f"{elapsed}  {text}", highlight=False, soft_wrap=True)


class _Clock(ProgressColumn):
    """Time elapsed, and the most that is left: a dream ends early if everything is learned."""

    def render(self, task: Task) -> Text:
        left = f", {_minutes(task.time_remaining)} left" if task.time_remaining else ""
        return Text(_minutes(task.elapsed) + left, style="cyan")


@contextmanager
def _watching(console: Console) -> Iterator[_Watch]:
    texts = ["{task.description}", "{task.completed:.0f}/{task.total}", "{task.fields[numbers]}"]
    name, steps, numbers = (TextColumn(text) for text in texts)
    bar = Progress(name, BarColumn(bar_width=8), steps, numbers, _Clock(), console=console, transient=True)
    with bar:
        yield _Watch(console, bar, bar.add_task("loading the model", total=None, numbers=""))


def _minutes(seconds: float | None) -> str:
    whole = int(seconds or 0)
    return f"{whole // 60}:{whole % 60:02d}"


def _numbers(step: StepReport) -> str:
    accuracy = "-" if step.accuracy is None else f"{step.accuracy:.2f}"
    pace = f"{step.rollouts_per_s:.1f} rollouts/s" if step.rollouts_per_s else "warming up"
    return f"loss {step.loss:.3f} {pace} held back {accuracy}"


def print_outcome(outcome: Outcome, console: Console) -> None:
    """Print which sessions were set aside, the verdict, its numbers and its reasons."""
    numbers = outcome.verdict.numbers
    for session, reason in outcome.numbers.get("set_aside", {}).items():
        console.print(literal(f"set aside: session {session}: {reason}", "yellow"))
    for kind in ("new", "earlier"):
        for session, rates in numbers[kind].items():
            change = f"{rates['before']:.2f} -> {rates['after']:.2f} of {rates['n']} held-back requests"
            console.print(literal(f"{kind} lesson {session}: {change}"))
    console.print(f"drift on unrelated requests: {numbers['kl_to_base']:.3f} nats per token")
    if outcome.version:
        console.print(f"promoted: {outcome.version} is live ({outcome.seconds:.0f} s)", style="green")
        return
    for reason in outcome.verdict.reasons:
        console.print(literal(f"rejected: {reason}", "red"))
