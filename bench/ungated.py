"""A night without the gate: whatever was learned goes live, so that a benchmark measures that."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from nightschool import night
from nightschool.config import Config
from nightschool.learn.classroom import Classroom, encode
from nightschool.learn.trainer import Progress, Report
from nightschool.models.hf import HFModel
from nightschool.store import Store
from nightschool.types import Feedback, Session, Verdict

_UNGATED = Verdict(True, ("a benchmark asks no gate",))


@dataclass(frozen=True)
class Night:
    """What a night made, and the seconds it took: to prepare, and in all."""

    version: str
    room: Classroom
    progress: Progress
    setup_seconds: float
    seconds: float


def like(store: Store, session: Session) -> None:
    """Record a session and rate it good."""
    store.import_session(session.id, user=None, messages=session.messages, tools=session.tools, feedback=None)
    store.rate(Feedback(f"like-{session.id}", session.id, "good"))


def dream(
    model: HFModel,
    store: Store,
    home: Path,
    config: Config,
    session: Session,
    report: Report = lambda _: None,
) -> Night:
    """Like a session and learn it. The new version is live in the store, but not loaded; the trained student
    stays loaded. Call it while `store.dreaming`."""
    like(store, session)
    began = time.perf_counter()
    plan = night.resume_or_start(store, config, (session.id,))
    (lesson,) = night.prepare(store, plan.sessions, plan.config.learn)
    room = encode(model, lesson, plan.parent, plan.config.learn)
    earlier, retired = night.remember(model, store, plan, [room])
    setup_seconds = time.perf_counter() - began
    student = night.start_adapter(model, plan)
    progress = night.learn(model, plan, [room], earlier, student, home / "dreams" / plan.id, store, report)
    version = night.keep(model, store, home, plan, [room], student, _UNGATED, retired)
    night.promote(store, plan, version)
    store.update_dream(plan.id, status="promoted", version=version)
    return Night(version, room, progress, setup_seconds, time.perf_counter() - began)
