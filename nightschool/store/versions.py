"""Versions, which of them is live, and what servers made of them.

The live pointer says what was last promoted or rolled back to. A version that a server refused since then is
not live: the newest one before it in its lineage is that no server refused.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session as Orm

from nightschool.errors import NotFound, StoreError
from nightschool.store.database import Database, columns
from nightschool.store.dreams import transition
from nightschool.store.engine import now
from nightschool.store.schema import CounterRow, LiveRow, SwapRow, VersionRow
from nightschool.types import BASE, SHARED, Pointer, Swap, Verdict, Version


class Versions:
    """One scope's live version is asked for by its name; there is one scope today."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database, self._home = database, home

    def new_name(self, stem: str) -> str:
        """Reserve a name `stem@N`; N is never given out again."""
        with self._database.writing() as orm:
            row = orm.get(CounterRow, stem) or CounterRow(stem=stem, last=0)
            row.last += 1
            orm.add(row)
            return f"{stem}@{row.last}"

    def get(self, name: str) -> Version:
        """Raises NotFound."""
        with self._database.reading() as orm:
            return self._version(_version_row(orm, name))

    def all(self) -> list[Version]:
        """Of every scope, oldest first."""
        query = select(VersionRow).order_by(VersionRow.number)
        with self._database.reading() as orm:
            return [self._version(row) for row in orm.scalars(query)]

    def lineage(self, name: str) -> list[Version]:
        """A version and its ancestors, oldest first; nothing for `base`. Raises NotFound."""
        out: list[Version] = []
        with self._database.reading() as orm:
            while name != BASE:
                out.append(self._version(_version_row(orm, name)))
                name = out[-1].parent
        return out[::-1]

    def pointer(self, scope: str = SHARED) -> Pointer:
        """Where the live pointer was last moved to."""
        with self._database.reading() as orm:
            return _pointer(orm, scope)

    def live(self, scope: str = SHARED) -> str:
        """The live version's name, or `base`."""
        with self._database.reading() as orm:
            return _live(orm, scope)

    def refusal(self, scope: str = SHARED) -> Swap | None:
        """Why the version that the pointer is at is not live, if so."""
        with self._database.reading() as orm:
            pointer = _pointer(orm, scope)
            row = _refused(orm, pointer.version, pointer.created_at)
            return Swap(**columns(row)) if row else None

    def point_to(self, name: str, *, expect: str, scope: str = SHARED) -> None:
        """Move the live pointer. Raises NotFound, and StoreError where `expect` is not live any more."""
        with self._database.writing() as orm:
            if name != BASE:
                _version_row(orm, name)
            _move(orm, name, expect, scope)

    def promote(self, dream_id: str, version: Version, verdict: Verdict, scope: str = SHARED) -> None:
        """List a dream's version, make it live and end the dream: all of it or nothing.

        Raises StoreError where its parent is not live any more.
        """
        path = Path(version.path)
        row = VersionRow(
            name=version.name,
            scope=scope,
            parent=version.parent,
            # One in this home is kept as a path from there: a home may be moved.
            path=str(path.relative_to(self._home) if path.is_relative_to(self._home) else path),
            sessions=list(version.sessions),
            dream_id=dream_id,
            created_at=now(),
        )
        with self._database.writing() as orm:
            orm.add(row)
            _move(orm, version.name, version.parent, scope)
            dream = transition(orm, dream_id, "promoted")
            dream.verdict, dream.version = verdict.to_json(), version.name

    def note_swap(self, version: str, *, ok: bool, detail: str) -> None:
        """A server answers with a version from now on, or refused to."""
        with self._database.writing() as orm:
            orm.add(SwapRow(version=version, ok=ok, detail=detail, created_at=now()))

    def swaps(self) -> list[Swap]:
        """Newest first."""
        with self._database.reading() as orm:
            return [Swap(**columns(r)) for r in orm.scalars(select(SwapRow).order_by(SwapRow.id.desc()))]

    def _version(self, row: VersionRow) -> Version:
        path = str(self._home / row.path)
        return Version(
            row.name, row.parent, path, tuple(row.sessions), row.dream_id, row.created_at, row.scope
        )


def _version_row(orm: Orm, name: str) -> VersionRow:
    row = orm.scalar(select(VersionRow).where(VersionRow.name == name))
    if row is None:
        raise NotFound(f"there is no version {name}: `nightschool versions` lists them")
    return row


def _pointer(orm: Orm, scope: str) -> Pointer:
    query = select(LiveRow).where(LiveRow.scope == scope).order_by(LiveRow.number.desc()).limit(1)
    row = orm.scalar(query)
    return Pointer(row.number, row.version, row.created_at) if row else Pointer(0, BASE, "")


def _live(orm: Orm, scope: str) -> str:
    pointer = _pointer(orm, scope)
    name, since = pointer.version, pointer.created_at
    while name != BASE and _refused(orm, name, since):
        name, since = _version_row(orm, name).parent, ""
    return name


def _refused(orm: Orm, name: str, since: str) -> SwapRow | None:
    """The newest thing that a server noted of a version, if it is a refusal. One of before the pointer was
    moved to it does not count: whoever moved it there gives it another chance."""
    query = select(SwapRow).where(SwapRow.version == name).order_by(SwapRow.id.desc()).limit(1)
    row = orm.scalar(query)
    return row if row and not row.ok and row.created_at > since else None


def _move(orm: Orm, name: str, expect: str, scope: str) -> None:
    live = _live(orm, scope)
    if live != expect:
        raise StoreError(f"the live version is {live} by now, no longer {expect}: nothing was changed")
    orm.add(LiveRow(version=name, scope=scope, created_at=now()))
