"""The store. Every call is one short transaction, and durable when it returns."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, Engine

from nightschool.errors import StoreError
from nightschool.store.database import Database
from nightschool.store.dreams import Dreams
from nightschool.store.engine import open_engine
from nightschool.store.feedback import FeedbackLog
from nightschool.store.sessions import Sessions
from nightschool.store.versions import Versions


class Store:
    """Sessions, feedback, dreams and versions. Several processes and threads may use it at once."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self._database = Database(engine)
        self.sessions = Sessions(self._database)
        self.feedback = FeedbackLog(self._database)
        self.dreams = Dreams(self._database, home)
        self.versions = Versions(self._database, home)

    @classmethod
    def open(cls, home: Path) -> Store:
        """Open the database of a home, or create both. Raises StoreError."""
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise StoreError(f"cannot create {home} ({e.strerror}): set NIGHTSCHOOL_HOME to a folder") from e
        return cls(open_engine(URL.create("sqlite", database=str(home.absolute() / "nightschool.db"))), home)

    def close(self) -> None:
        self._database.close()
