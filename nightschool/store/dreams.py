"""Dreams and the states they go through.

running      a process is at it, or was when it died; it resumes
interrupted  it could not go on (a full disk, Ctrl-C); it resumes
failed       it crashed, or what it was for has changed
rejected     the gate said no
promoted     its version is the live one (`store.versions.promote`)
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session as Orm

from nightschool.errors import DreamError, NotFound, StoreError
from nightschool.store.database import Database, columns
from nightschool.store.engine import now
from nightschool.store.schema import DreamRow
from nightschool.types import SHARED, Dream, DreamStatus, Verdict

# What a dream may become; the states that are not here are final.
_NEXT: dict[DreamStatus, set[DreamStatus]] = {
    "running": {"running", "interrupted", "failed", "rejected", "promoted"},
    "interrupted": {"running", "failed"},
}


class Dreams:
    """Who holds `lock` may start and change dreams; anybody may read them."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database, self._home = database, home

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the right to dream in this home: one process has it, and loses it with its life.

        Raises DreamError where another one has it.
        """
        with (self._home / "dream.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as e:
                raise DreamError("a dream is running: wait for it to end (`/v1/dreams` shows it)") from e
            yield

    def get(self, dream_id: str) -> Dream:
        """Raises NotFound."""
        with self._database.reading() as orm:
            return _dream(dream_row(orm, dream_id))

    def all(self, scope: str = SHARED) -> list[Dream]:
        """Newest first."""
        query = select(DreamRow).where(DreamRow.scope == scope).order_by(DreamRow.number.desc())
        with self._database.reading() as orm:
            return [_dream(row) for row in orm.scalars(query)]

    def start(
        self,
        dream_id: str,
        *,
        sessions: Sequence[str],
        parent: str,
        config: dict[str, Any],
        pid: int,
        scope: str = SHARED,
    ) -> None:
        """Note that a dream began; its process is `pid`."""
        stamp = now()
        row = DreamRow(
            id=dream_id,
            scope=scope,
            status="running",
            sessions=list(sessions),
            parent=parent,
            config=config,
            pid=pid,
            launches=0,
            created_at=stamp,
            updated_at=stamp,
        )
        with self._database.writing() as orm:
            orm.add(row)

    def resume(self, dream_id: str, pid: int) -> None:
        """Process `pid` goes on with a dream that was cut off."""
        with self._database.writing() as orm:
            row = transition(orm, dream_id, "running")
            row.pid, row.error = pid, None

    def note_launch(self, dream_id: str) -> None:
        """A server started a process for it."""
        with self._database.writing() as orm:
            transition(orm, dream_id, "running").launches += 1

    def narrow(self, dream_id: str, sessions: Sequence[str]) -> None:
        """It is for fewer sessions than it was started for."""
        with self._database.writing() as orm:
            transition(orm, dream_id, "running").sessions = list(sessions)

    def note_lessons(self, dream_id: str, lessons: dict[str, Any]) -> None:
        """What is practised of each session, and what is not."""
        with self._database.writing() as orm:
            transition(orm, dream_id, "running").lessons = lessons

    def note_progress(self, dream_id: str, progress: dict[str, Any]) -> None:
        """The numbers of its newest step."""
        with self._database.writing() as orm:
            transition(orm, dream_id, "running").progress = progress

    def interrupt(self, dream_id: str, error: str) -> None:
        with self._database.writing() as orm:
            transition(orm, dream_id, "interrupted").error = error

    def fail(self, dream_id: str, error: str) -> None:
        with self._database.writing() as orm:
            transition(orm, dream_id, "failed").error = error

    def reject(self, dream_id: str, verdict: Verdict) -> None:
        with self._database.writing() as orm:
            transition(orm, dream_id, "rejected").verdict = verdict.to_json()


def dream_row(orm: Orm, dream_id: str) -> DreamRow:
    """Raises NotFound."""
    row = orm.scalar(select(DreamRow).where(DreamRow.id == dream_id))
    if row is None:
        raise NotFound(f"there is no dream {dream_id}")
    return row


def transition(orm: Orm, dream_id: str, status: DreamStatus) -> DreamRow:
    """Change a dream's status. Raises NotFound, and StoreError where it cannot become that."""
    row = dream_row(orm, dream_id)
    if status not in _NEXT.get(row.status, set()):
        raise StoreError(f"dream {dream_id} is {row.status}: it cannot become {status}")
    row.status, row.updated_at = status, now()
    return row


def _dream(row: DreamRow) -> Dream:
    values = columns(row)
    return Dream(**{**values, "sessions": tuple(values["sessions"])})
