"""Opening a database: migrations, several processes at once, and errors that say what to do."""

import json
import multiprocessing
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, create_engine, event, inspect

from nightschool.errors import StoreError
from nightschool.store import Store
from nightschool.store.engine import migrate, open_engine
from nightschool.store.schema import Base
from nightschool.types import Signal
from tests.store.conftest import HELLO, HI, contents, record


def test_the_migrations_make_the_tables_that_the_code_uses(store: Store, home: Path) -> None:
    engine = open_engine(URL.create("sqlite", database=str(home / "nightschool.db")))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_a_database_of_the_first_revision_is_brought_up_to_date(home: Path) -> None:
    home.mkdir()
    engine = create_engine(f"sqlite:///{home / 'nightschool.db'}")
    migrate(engine, "0001")
    assert "signals" not in inspect(engine).get_table_names()
    with engine.begin() as raw:
        raw.exec_driver_sql("insert into sessions values ('s', null, 'api', '[]', '2026', '2026')")
        for i, message in enumerate((HI, HELLO)):
            row = (i, "s", i, json.dumps(message.to_json()), "as it was then", f"r{i}", "2026")
            columns = "id, session_id, position, message, chain, response_id, created_at"
            raw.exec_driver_sql(f"insert into turns ({columns}) values (?, ?, ?, ?, ?, ?, ?)", row)
    engine.dispose()
    store = Store.open(home)
    assert contents(store, "s") == ["hi", "hello"]
    assert record(store, "hi", "hello", "more", "yes") == "s"
    assert store.feedback.signal(Signal("g", "s", "r1", "accepted"))
    assert [s.position for s in store.feedback.signals("s")] == [1]
    assert [s.id for s in store.sessions.all()] == store.sessions.teaching() == ["s"]
    store.close()


@pytest.mark.parametrize(
    "name", ["with space", "ünï 日本", "hash#1", "what?x=1", "pct%20x", "file:x", "~", ":memory:"]
)
def test_a_home_of_any_name_holds_its_database(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for home in (tmp_path / name, Path(name) / "relative"):
        store = Store.open(home)
        record(store, "hi", "hello", session=str(home))
        store.close()
        assert (home / "nightschool.db").exists()
        with closing(Store.open(home)) as again:
            assert [s.id for s in again.sessions.all()] == [str(home)]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def _open_and_record(home: Path, number: int) -> None:
    store = Store.open(home)
    record(store, f"hi {number}", "hello")
    store.close()


@pytest.mark.slow
def test_processes_that_open_a_new_home_together(home: Path) -> None:
    home.mkdir()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_open_and_record, args=(home, i)) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [w.exitcode for w in workers] == [0, 0, 0]
    store = Store.open(home)
    assert len(store.sessions.all()) == 3
    store.close()


def test_a_full_disk_is_one_clear_error_and_nothing_is_lost(store: Store) -> None:
    before = record(store, "hi", "hello")
    engine = store._database._engine
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    # Every connection of the pool must know the limit, so the pool is emptied first.
    engine.dispose()
    limit = f"PRAGMA max_page_count={pages}"
    event.listen(engine, "connect", lambda connection, _: connection.execute(limit) and None)

    def fill() -> None:
        for i in range(2000):
            record(store, f"{i}", "x" * 1000)

    with pytest.raises(StoreError, match=r"disk is full .*: free some space"):
        fill()
    assert contents(store, before) == ["hi", "hello"]


def test_a_home_that_cannot_be_made_or_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(StoreError, match="set NIGHTSCHOOL_HOME"):
        Store.open(file)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "nightschool.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="doctor"):
        Store.open(broken)
