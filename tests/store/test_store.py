"""The store: what goes in comes out, what is said twice counts once, what was given back stays."""

import multiprocessing
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, event, inspect

from nightschool.errors import BadRequest, DreamError, NotFound, StoreError
from nightschool.store import Store
from nightschool.store.engine import migrate, open_engine
from nightschool.store.schema import Base
from nightschool.types import BASE, Feedback, Message, Signal, ToolCall, Version

HI, HELLO = Message("user", "hi"), Message("assistant", "hello")


def record(store: Store, *texts: str, session: str | None = None, user: str | None = None) -> str:
    """Alternating user and assistant texts, the last of which was just answered."""
    roles = ("user", "assistant")
    messages = [Message(roles[i % 2], t) for i, t in enumerate(texts)]  # type: ignore[arg-type]
    return store.record(
        session_id=session,
        user=user,
        history=messages[:-1],
        answer=messages[-1],
        response_id=f"r_{len(texts)}_{texts[-1]}",
        version=BASE,
        tokens=[1, 2],
        logprobs=[-0.5, -1.25],
    )


def contents(store: Store, session: str) -> list[str]:
    return [m.content for m in store.session(session).messages]


def test_a_session_comes_back_as_it_went_in(store: Store, home: Path) -> None:
    call = Message("assistant", "", (ToolCall("c1", "find", '{"q": "ü"}'),))
    result = Message("tool", "42", tool_call_id="c1")
    tools = ({"type": "function", "function": {"name": "find"}},)
    history = [Message("system", "Be brief."), HI, call, result]
    session = store.record(
        session_id=None,
        user="ann",
        history=history,
        answer=HELLO,
        tools=tools,
        response_id="r1",
        version="n@1",
        tokens=[5, 0],
        logprobs=[-0.1, -0.2],
    )
    store.close()
    found = Store.open(home).session(session)
    assert found.messages == (*history, HELLO)
    assert (found.tools, found.user, found.rating) == (tools, "ann", None)
    with sqlite3.connect(home / "nightschool.db") as raw:
        row = raw.execute(
            "select version, token_ids, logprobs from turns where response_id = 'r1'"
        ).fetchone()
    raw.close()
    assert row == ("n@1", "[5, 0]", "[-0.1, -0.2]")


def test_the_conversation_goes_on_in_its_session(store: Store) -> None:
    first = record(store, "hi", "hello")
    assert record(store, "hi", "hello", "more", "yes") == first
    assert record(store, "hi", " hello\n", "more", "yes", "again", "sure") == first  # clients trim
    assert contents(store, first) == ["hi", "hello", "more", "yes", "again", "sure"]


def test_another_user_or_beginning_is_another_session(store: Store) -> None:
    first = record(store, "hi", "hello", user="ann")
    assert record(store, "hi", "hello", "more", "yes", user="bob") != first
    assert record(store, "hi", "hullo", "more", "yes", user="ann") != first
    # "hi" again, with nothing answered before it, starts anew.
    assert record(store, "hi", "hello", user="ann") != first


def test_regenerating_and_editing_supersede(store: Store) -> None:
    session = record(store, "hi", "hello", session="mine")
    record(store, "hi", "good day", session="mine")
    assert contents(store, session) == ["hi", "good day"]
    record(store, "hi", "edited by the user", "next", "answer", session="mine")
    assert contents(store, session) == ["hi", "edited by the user", "next", "answer"]
    assert store.session_of_response("r_2_hello") == "mine"  # superseded, not lost


def test_an_edited_last_answer_is_kept_up_with(store: Store) -> None:
    edited = [HI, Message("assistant", "good day")]
    session = record(store, "hi", "hello", session="mine")
    assert store.keep_up("mine", edited, None) == session
    assert contents(store, "mine") == ["hi", "good day"]
    # A client that sends less than what is recorded takes nothing back.
    record(store, "hi", "good day", "more", "yes", session="mine")
    assert store.keep_up("mine", edited, None) == store.keep_up("mine", [], None) == "mine"
    assert contents(store, "mine") == ["hi", "good day", "more", "yes"]


def test_a_conversation_that_is_not_recorded_yet_becomes_a_session(store: Store) -> None:
    assert store.keep_up(None, [HI], None) is None
    session = store.keep_up(None, [HI, HELLO], "ann")
    assert session
    assert contents(store, session) == ["hi", "hello"]
    assert store.keep_up(None, [HI, HELLO], "ann") == session


def test_the_same_answer_regenerated_keeps_both_responses(store: Store) -> None:
    record(store, "hi", "hello", session="mine")
    store.record(session_id="mine", user=None, history=[HI], answer=HELLO, response_id="second", version=BASE)
    assert store.session_of_response("second") == store.session_of_response("r_2_hello") == "mine"
    assert contents(store, "mine") == ["hi", "hello"]


texts = st.lists(st.text(max_size=5), min_size=2, max_size=8).filter(lambda t: len(t) % 2 == 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(texts, min_size=1, max_size=4), st.data())
def test_whatever_the_client_sends_is_what_is_recorded(
    tmp_path_factory: pytest.TempPathFactory, conversations: list[list[str]], data: st.DataObject
) -> None:
    store = Store.open(tmp_path_factory.mktemp("home"))
    for said in conversations:
        session = data.draw(st.sampled_from(["a", "b", None]))
        assert contents(store, record(store, *said, session=session)) == said
    store.close()


def test_feedback_counts_once_and_the_newest_counts(store: Store) -> None:
    session = record(store, "hi", "hello")
    assert store.rate(Feedback("f1", session, "good", "nice"))
    assert not store.rate(Feedback("f1", session, "good", "nice"))
    with pytest.raises(BadRequest, match="other content"):
        store.rate(Feedback("f1", session, "bad"))
    store.rate(Feedback("f2", session, "bad"))
    assert store.session(session).rating == "bad"
    assert store.retract(session).id == "f2"  # type: ignore[union-attr]
    assert (store.session(session).rating, store.session(session).comment) == ("good", "nice")
    assert store.retract_feedback("f1") == session
    (taken, _) = store.feedback(session)
    assert taken.retracted
    assert store.retract_feedback("f1") == session
    assert store.retract(session) is None
    assert store.session(session).rating is None
    assert not store.rate(Feedback("f1", session, "good", "nice"))  # taken back for good
    assert len(store.feedback(session)) == 2


def test_signals_count_once_and_can_be_taken_back(store: Store) -> None:
    session = record(store, "hi", "hello")
    edited = Signal("g1", session, "r_2_hello", "edited", text="good day")
    rejected = Signal("g2", session, "r_2_hello", "rejected", comment="too short")
    assert store.signal(edited)
    assert not store.signal(edited)
    assert store.signal(rejected)
    for other in (
        replace(edited, text="good night"),
        replace(edited, kind="accepted", text=None),
        replace(rejected, comment=None),
    ):
        with pytest.raises(BadRequest, match="other content"):
            store.signal(other)
    assert [(s.id, s.kind, s.text, s.comment) for s in store.signals()] == [
        ("g1", "edited", "good day", None),
        ("g2", "rejected", None, "too short"),
    ]
    assert store.session(session).rating is None  # a signal does not judge the session
    assert store.retract_feedback("g1") == session
    assert store.retract_feedback("g1") == session
    assert [s.id for s in store.signals(session)] == ["g2"]
    assert not store.signal(edited)  # taken back for good


def test_ratings_and_signals_share_their_ids(store: Store) -> None:
    session = record(store, "hi", "hello")
    store.rate(Feedback("f", session, "good"))
    with pytest.raises(BadRequest, match="other content"):
        store.signal(Signal("f", session, "r_2_hello", "accepted"))
    store.signal(Signal("g", session, "r_2_hello", "accepted"))
    with pytest.raises(BadRequest, match="other content"):
        store.rate(Feedback("g", session, "good"))
    assert [f.id for f in store.feedback()] == ["f"]
    assert [s.id for s in store.signals()] == ["g"]


def test_a_signal_knows_where_its_response_is_now(store: Store) -> None:
    record(store, "hi", "hello", session="mine")
    record(store, "hi", "hello", "more", "yes", session="mine")
    record(store, "hi", "hello", session="other")  # the same response id, as far as this test goes
    store.signal(Signal("g1", "mine", "r_4_yes", "accepted"))
    store.signal(Signal("g2", "mine", "r_2_hello", "accepted"))
    store.signal(Signal("g3", "other", "r_2_hello", "accepted"))

    def places() -> dict[str, int | None]:
        return {s.id: s.position for s in store.signals()}

    assert places() == {"g1": 3, "g2": 1, "g3": 1}
    record(store, "hi", "hello", "more", "no", session="mine")
    assert places() == {"g1": None, "g2": 1, "g3": 1}
    assert store.signal(Signal("g4", "mine", "r_4_yes", "rejected"))  # superseded, not lost
    assert [s.id for s in store.signals("mine")] == ["g1", "g2", "g4"]


def test_an_edited_answer_that_the_client_goes_on_with_is_still_the_edited_one(store: Store) -> None:
    session = record(store, "hi", "hello", session="mine")
    store.signal(Signal("g1", session, "r_2_hello", "edited", "good day"))
    store.signal(Signal("g2", session, "r_2_hello", "rejected"))
    record(store, "hi", "good day ", "more", "yes", session="mine")
    assert {s.id: s.position for s in store.signals()} == {"g1": 1, "g2": None}
    record(store, "hi", "good evening", "more", "yes", session="mine")  # nobody said that
    assert {s.id: s.position for s in store.signals()} == {"g1": None, "g2": None}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(texts, min_size=1, max_size=5))
def test_where_a_signal_points_is_its_response(
    tmp_path_factory: pytest.TempPathFactory, conversations: list[list[str]]
) -> None:
    store = Store.open(tmp_path_factory.mktemp("home"))
    answers = {}
    for i, said in enumerate(conversations):
        history = [Message("user" if n % 2 == 0 else "assistant", t) for n, t in enumerate(said)]
        store.record(
            session_id="s",
            user=None,
            history=history[:-1],
            answer=history[-1],
            response_id=f"r{i}",
            version=BASE,
        )
        store.signal(Signal(f"g{i}", "s", f"r{i}", "accepted"))
        answers[f"r{i}"] = said[-1]
    signals, now = store.signals(), contents(store, "s")
    assert [s.id for s in signals] == [f"g{i}" for i in range(len(conversations))]
    assert signals[-1].position == len(now) - 1
    placed = {s.position: answers[s.response_id] for s in signals if s.position is not None}
    assert all(now[position].strip() == text.strip() for position, text in placed.items())
    store.close()


def test_what_was_said_after_the_thumbs_up_was_not_judged(store: Store) -> None:
    session = record(store, "hi", "hello")
    store.rate(Feedback("f1", session, "good"))
    record(store, "hi", "hello", "more", "wrong")
    assert contents(store, session) == ["hi", "hello", "more", "wrong"]
    assert [m.content for m in store.judged(session).messages] == ["hi", "hello"]
    record(store, "hi", "good day", session=session)  # edited: what was judged is another answer
    assert [m.content for m in store.judged(session).messages] == ["hi", "hello"]
    store.rate(Feedback("f2", session, "good"))
    assert [m.content for m in store.judged(session).messages] == ["hi", "good day"]


def test_unknown_names_say_what_to_do(store: Store) -> None:
    for ask in (
        lambda: store.session("x"),
        lambda: store.rate(Feedback("f", "x", "good")),
        lambda: store.version("n@1"),
        lambda: store.set_live("n@1"),
        lambda: store.dream("d"),
        lambda: store.session_of_response("r"),
        lambda: store.retract_feedback("f"),
        lambda: store.signal(Signal("g", "x", "r", "accepted")),
    ):
        with pytest.raises(NotFound, match="there is no"):
            ask()


def test_importing_twice_changes_nothing(store: Store) -> None:
    given = {"user": None, "messages": [HI, HELLO], "tools": (), "feedback": Feedback("f", "", "good")}
    session, new = store.import_session(None, **given)  # type: ignore[arg-type]
    assert new
    assert store.import_session(None, **given) == (session, False)  # type: ignore[arg-type]
    assert len(store.sessions()) == len(store.feedback()) == 1
    with pytest.raises(BadRequest, match="other messages"):
        store.import_session(session, user=None, messages=[HI], tools=(), feedback=None)


def test_a_moved_home_finds_its_versions(store: Store, home: Path) -> None:
    store.add_version(Version("n@1", BASE, str(home / "versions" / "n@1")))
    store.add_version(Version("n@2", BASE, "/elsewhere/n@2"))
    store.close()
    with closing(Store.open(home.rename(home.with_name("moved")))) as moved:
        paths = [version.path for version in moved.versions()]
    assert paths == [str(home.with_name("moved") / "versions" / "n@1"), "/elsewhere/n@2"]


def test_version_names_are_never_given_out_twice(store: Store, home: Path) -> None:
    def reserve(_: int) -> list[str]:
        mine = Store.open(home)
        names = [mine.next_version("n") for _ in range(5)]
        mine.close()
        return names

    with ThreadPoolExecutor(4) as pool:
        names = [name for found in pool.map(reserve, range(4)) for name in found]
    assert sorted(names, key=lambda n: int(n[2:])) == [f"n@{i}" for i in range(1, 21)]


def test_the_live_pointer_moves_only_from_where_it_is(store: Store) -> None:
    for name, parent in (("n@1", BASE), ("n@2", "n@1")):
        store.add_version(Version(name, parent, "/x", ("s",)))
    assert store.live() == BASE
    store.set_live("n@1", expect=BASE)
    with pytest.raises(StoreError, match="no longer base"):
        store.set_live("n@2", expect=BASE)
    store.set_live("n@2")
    assert [v.name for v in store.lineage("n@2")] == ["n@1", "n@2"]
    assert store.lineage(BASE) == []


def test_one_process_dreams_at_a_time(store: Store, home: Path) -> None:
    store.start_dream("d1", sessions=["s"], parent=BASE, config={"a": 1}, pid=1)
    assert store.running_dream() is None  # nobody holds the lock: it was killed
    other = Store.open(home)
    with store.dreaming():
        assert other.running_dream()["id"] == "d1"  # type: ignore[index]
        with pytest.raises(DreamError, match="a dream is running"), other.dreaming():
            pass
    with other.dreaming():
        other.update_dream("d1", status="promoted", verdict={"promote": True})
    assert store.dream("d1")["verdict"] == {"promote": True}
    other.close()


def test_the_migrations_make_the_tables_that_the_code_uses(store: Store, home: Path) -> None:
    engine = open_engine(f"sqlite:///{home / 'nightschool.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_a_database_of_the_first_revision_is_brought_up_to_date(home: Path) -> None:
    home.mkdir()
    engine = create_engine(f"sqlite:///{home / 'nightschool.db'}")
    migrate(engine, "0001")
    assert "signals" not in inspect(engine).get_table_names()
    old = Store(engine, home)
    session = record(old, "hi", "hello")
    old.close()
    store = Store.open(home)
    assert contents(store, session) == ["hi", "hello"]
    assert store.signal(Signal("g", session, "r_2_hello", "accepted"))
    assert [s.position for s in store.signals()] == [1]
    store.close()


def _open_and_record(home: Path, number: int) -> None:
    store = Store.open(home)
    record(store, f"hi {number}", "hello")
    store.close()


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
    assert len(store.sessions()) == 3
    store.close()


_FOREVER = """
import sys
from pathlib import Path
from nightschool.store import Store
from nightschool.types import Message
store = Store.open(Path(sys.argv[1]))
for i in range(10**6):
    store.record(session_id="s%d" % i, user=None, history=[Message("user", "hi")],
                 answer=Message("assistant", "hello"), response_id="r%d" % i, version="base")
    print(i, flush=True)
"""


def test_what_was_recorded_survives_a_kill(home: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", _FOREVER, str(home)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    seen = [int(writer.stdout.readline()) for _ in range(20)]
    writer.send_signal(signal.SIGKILL)
    seen += [int(line) for line in writer.stdout if line.endswith("\n")]
    writer.wait()
    writer.stdout.close()
    store = Store.open(home)
    recorded = {s.id: s for s in store.sessions()}
    assert all(len(recorded[f"s{i}"].messages) == 2 for i in seen)
    store.close()


def test_a_full_disk_is_one_clear_error_and_nothing_is_lost(store: Store) -> None:
    before = record(store, "hi", "hello")
    with store._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    # Every connection of the pool must know the limit, so the pool is emptied first.
    store._engine.dispose()
    limit = f"PRAGMA max_page_count={pages}"
    event.listen(store._engine, "connect", lambda connection, _: connection.execute(limit) and None)

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
