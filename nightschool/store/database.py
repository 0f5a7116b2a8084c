"""Transactions, shared by the files of the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session as Orm

from nightschool.store.engine import explained


class Database:
    """An SQL engine and its two kinds of transaction. Both raise StoreError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def writing(self) -> Iterator[Orm]:
        """A transaction that is durable when the block ends, and undone if the block raises."""
        with explained(self._engine.url), Orm(self._engine) as orm, orm.begin():
            yield orm

    @contextmanager
    def reading(self) -> Iterator[Orm]:
        """A transaction that sees one consistent state and takes no write lock."""
        engine = self._engine.execution_options(reading=True)
        with explained(self._engine.url), Orm(engine) as orm, orm.begin():
            yield orm

    def close(self) -> None:
        self._engine.dispose()


def columns(row: Any, *, without: tuple[str, ...] = ("number",)) -> dict[str, Any]:
    """The row's values by column, but for the columns `without`."""
    return {c.key: getattr(row, c.key) for c in row.__table__.columns if c.key not in without}
