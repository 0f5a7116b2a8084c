"""Opening the SQL database: pragmas, migrations, and errors that a user can act on."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

from nightschool.errors import StoreError


def now() -> str:
    """The time in UTC, as ISO 8601 with microseconds: such texts sort by time."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def open_engine(url: URL) -> Engine:
    """Connect to a database and run the missing migrations. Raises StoreError."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _pragmas)
        event.listen(engine, "begin", _begin)
    with explained(url), _one_at_a_time(url):
        migrate(engine)
    return engine


def migrate(engine: Engine, to: str = "head") -> None:
    """Run the missing migrations up to revision `to`."""
    config = AlembicConfig()
    migrations = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", migrations.replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def _pragmas(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # or the driver would begin the transaction, and later than `_begin`
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """Begin a transaction. A writer takes the lock at once: SQLite refuses a write after a read if another
    process has written in between."""
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def _one_at_a_time(url: URL) -> Iterator[None]:
    """Hold a file lock, so that two processes that open a new home together do not both create its tables."""
    database = url.database
    if url.get_backend_name() != "sqlite" or not database or database == ":memory:":
        yield
        return
    with Path(f"{database}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn errors of the database and the disk into StoreError, whose one line says what to do."""
    where = url.database
    try:
        yield
    except DatabaseError as e:
        raise StoreError(_message(e, where)) from e
    except OSError as e:
        raise StoreError(f"cannot open the store {where}: {e.strerror}") from e


def _message(error: DatabaseError, where: str | None) -> str:
    code = getattr(error.orig, "sqlite_errorname", "")
    reason = str(error.orig or error).strip().splitlines()[0]
    if code.startswith("SQLITE_FULL"):
        return f"the disk is full at {where}: free some space and try again, nothing was lost"
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"the store {where} is busy: another process writes to it, try again"
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return f"the store {where} cannot be written ({reason}): check its owner, or set NIGHTSCHOOL_HOME"
    return f"the store {where} refused: {reason} (`nightschool doctor` checks it)"
