"""Dreams and their states.

running      a process works on it, or did until it was killed; it can be resumed
interrupted  it stopped for a reason that can be removed (a full disk, Ctrl-C); it can be resumed
failed       it crashed, or its sessions or their ratings have changed
rejected     the gate did not let its version through
promoted     its version was made live (`store.versions.promote`)
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

# The states that may follow each state; those without an entry are final.
_NEXT: dict[DreamStatus, set[DreamStatus]] = {
    "running": {"running", "interrupted", "failed", "rejected", "promoted"},
    "interrupted": {"running", "failed"},
}


class Dreams:
    """Anybody may read dreams; only the holder of `lock` may start or change one."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database, self._home = database, home

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock of this home: one process dreams at a time. The lock ends with the process.

        Raises DreamError if another process holds it.
        """
        with (self._home / "dream.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as e:
                raise DreamError("a dream is running: wait for it to end (`/v1/dreams` shows it)") from e
            yield

    def get(self, dream_id: str) -> Dream:
        """The dream with this id. Raises NotFound."""
        with self._database.reading() as orm:
            return _dream(dream_row(orm, dream_id))

    def all(self, scope: str = SHARED) -> list[Dream]:
        """All dreams of a scope, newest first."""
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
        """Record a new dream, running in process `pid`. `config` is what `config.parse` reads."""
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
        """Record that process `pid` resumes a dream."""
        with self._database.writing() as orm:
            row = transition(orm, dream_id, "running")
            row.pid, row.error = pid, None

    def note_launch(self, dream_id: str) -> None:
        """Record that a server started a process for it."""
        with self._database.writing() as orm:
            transition(orm, dream_id, "running").launches += 1

    def narrow(self, dream_id: str, sessions: Sequence[str]) -> None:
        """Replace its sessions by fewer."""
        with self._database.writing() as orm:
            transition(orm, dream_id, "running").sessions = list(sessions)

    def note_lessons(self, dream_id: str, lessons: dict[str, Any]) -> None:
        """Record what is practised of each session and what is not, by session id. What was recorded of other
        sessions stays: a dream that is resumed does not read again what it set aside."""
        with self._database.writing() as orm:
            row = transition(orm, dream_id, "running")
            row.lessons = (row.lessons or {}) | lessons

    def note_progress(self, dream_id: str, progress: dict[str, Any]) -> None:
        """Record the numbers of its newest step."""
        with self._database.writing() as orm:
            transition(orm, dream_id, "running").progress = progress

    def interrupt(self, dream_id: str, error: str) -> None:
        """End it for now, with a reason; it can be resumed."""
        with self._database.writing() as orm:
            transition(orm, dream_id, "interrupted").error = error

    def fail(self, dream_id: str, error: str) -> None:
        """End it for good, with a reason."""
        with self._database.writing() as orm:
            transition(orm, dream_id, "failed").error = error

    def reject(self, dream_id: str, verdict: Verdict) -> None:
        """End it with the gate's verdict."""
        with self._database.writing() as orm:
            transition(orm, dream_id, "rejected").verdict = verdict.to_json()


def dream_row(orm: Orm, dream_id: str) -> DreamRow:
    """The row of a dream. Raises NotFound."""
    row = orm.scalar(select(DreamRow).where(DreamRow.id == dream_id))
    if row is None:
        raise NotFound(f"there is no dream {dream_id}")
    return row


def transition(orm: Orm, dream_id: str, status: DreamStatus) -> DreamRow:
    """Change a dream's status and return its row. Raises NotFound, and StoreError if `_NEXT` forbids it."""
    row = dream_row(orm, dream_id)
    if status not in _NEXT.get(row.status, set()):
        raise StoreError(f"dream {dream_id} is {row.status}: it cannot become {status}")
    row.status, row.updated_at = status, now()
    return row


def _dream(row: DreamRow) -> Dream:
    values = columns(row)
    return Dream(**{**values, "sessions": tuple(values["sessions"])})
