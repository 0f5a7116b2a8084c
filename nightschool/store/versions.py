"""Versions, which of them is live, and whether servers accepted them.

The live pointer is at the version that was last promoted or rolled back to. If a server has refused that
version since then, the live version is its newest ancestor that no server has refused.
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
    """The versions. Each scope has its own live version; so far there is one scope, `shared`."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database, self._home = database, home

    def new_name(self, stem: str) -> str:
        """Reserve and return a name `stem@N`; no N is ever given twice."""
        with self._database.writing() as orm:
            row = orm.get(CounterRow, stem) or CounterRow(stem=stem, last=0)
            row.last += 1
            orm.add(row)
            return f"{stem}@{row.last}"

    def get(self, name: str) -> Version:
        """The version with this name. Raises NotFound."""
        with self._database.reading() as orm:
            return self._version(_version_row(orm, name))

    def all(self) -> list[Version]:
        """All versions of all scopes, oldest first."""
        query = select(VersionRow).order_by(VersionRow.number)
        with self._database.reading() as orm:
            return [self._version(row) for row in orm.scalars(query)]

    def lineage(self, name: str) -> list[Version]:
        """A version and its ancestors, oldest first, without `base`. Raises NotFound."""
        out: list[Version] = []
        with self._database.reading() as orm:
            while name != BASE:
                out.append(self._version(_version_row(orm, name)))
                name = out[-1].parent
        return out[::-1]

    def pointer(self, scope: str = SHARED) -> Pointer:
        """The live pointer of a scope; at `base`, with number 0, if it has never been moved."""
        with self._database.reading() as orm:
            return _pointer(orm, scope)

    def live(self, scope: str = SHARED) -> str:
        """The name of the live version, or `base`."""
        with self._database.reading() as orm:
            return _live(orm, scope)

    def refusal(self, scope: str = SHARED) -> Swap | None:
        """The refusal of the version at the live pointer, or None if that version is live."""
        with self._database.reading() as orm:
            pointer = _pointer(orm, scope)
            row = _refused(orm, pointer.version, pointer.created_at)
            return Swap(**columns(row)) if row else None

    def point_to(self, name: str, *, expect: str, scope: str = SHARED) -> None:
        """Move the live pointer. Raises NotFound, and StoreError if `expect` is no longer live."""
        with self._database.writing() as orm:
            if name != BASE:
                _version_row(orm, name)
            _move(orm, name, expect, scope)

    def promote(self, dream_id: str, version: Version, verdict: Verdict, scope: str = SHARED) -> None:
        """Record a dream's version, make it live and end the dream, in one transaction.

        Raises StoreError if the version's parent is no longer live.
        """
        path = Path(version.path)
        row = VersionRow(
            name=version.name,
            scope=scope,
            parent=version.parent,
            # A path inside the home is stored relative to it, since a home may be moved.
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
        """Record that a server answers with a version from now on (`ok`), or refused it."""
        with self._database.writing() as orm:
            orm.add(SwapRow(version=version, ok=ok, detail=detail, created_at=now()))

    def swaps(self) -> list[Swap]:
        """All swaps, newest first."""
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
    """The newest swap of a version, if it is a refusal and later than `since`.

    A refusal from before the pointer was moved to the version does not count: it is to be tried again.
    """
    query = select(SwapRow).where(SwapRow.version == name).order_by(SwapRow.id.desc()).limit(1)
    row = orm.scalar(query)
    return row if row and not row.ok and row.created_at > since else None


def _move(orm: Orm, name: str, expect: str, scope: str) -> None:
    live = _live(orm, scope)
    if live != expect:
        raise StoreError(f"the live version is {live} by now, no longer {expect}: nothing was changed")
    orm.add(LiveRow(version=name, scope=scope, created_at=now()))
