"""A night without the gate: whatever was learned goes live, so that a benchmark measures that."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightschool.config import Config
from nightschool.learn.trainer import Report, StepReport
from nightschool.lessons.prepare import Prepare, prepare
from nightschool.models.hf import HFModel
from nightschool.night.dream import dream as dream_it
from nightschool.night.judge import ungated
from nightschool.night.outcome import Outcome
from nightschool.night.queue import resume_or_start
from nightschool.store import Store
from nightschool.types import Feedback, Session


@dataclass(frozen=True)
class Night:
    """How a night ended, what was practised of its session, and the seconds until it began to learn."""

    outcome: Outcome
    lesson: dict[str, Any]
    setup_seconds: float


class _Watch:
    """Notes when the training begins, and passes its steps on."""

    def __init__(self, report: Report) -> None:
        self._report, self._began = report, time.perf_counter()
        self.setup_seconds = 0.0

    def stage(self, name: str) -> None:
        if name == "learn":
            self.setup_seconds = time.perf_counter() - self._began

    def step(self, step: StepReport) -> None:
        self._report(step)


@contextmanager
def fresh_home() -> Iterator[tuple[Store, Path]]:
    """A store in a home of its own that is gone afterwards, under the lock of its dreams."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        with closing(Store.open(home)) as store, store.dreams.lock():
            yield store, home


def like(store: Store, session: Session) -> None:
    """Record a session and rate it good."""
    store.sessions.add(session.id, user=None, messages=session.messages, tools=session.tools)
    store.feedback.rate(Feedback(f"like-{session.id}", session.id, "good"))


def dream(
    model: HFModel,
    store: Store,
    home: Path,
    config: Config,
    session: Session,
    report: Report = lambda _: None,
    prepare: Prepare = prepare,
) -> Night:
    """Like a session and learn the lesson that `prepare` makes of it. The new version is live in the store,
    but not loaded; the trained student stays loaded. Call it under `store.dreams.lock`."""
    like(store, session)
    plan, watch = resume_or_start(store, config, (session.id,)), _Watch(report)
    outcome = dream_it(model, store, home, plan, prepare=prepare, gate=ungated, watch=watch)
    lesson = (store.dreams.get(plan.id).lessons or {})[session.id]
    return Night(outcome, lesson, watch.setup_seconds)
