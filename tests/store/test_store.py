"""The store: what goes in comes out, what is said twice counts once, what was given back stays."""

import json
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
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
from nightschool.store import Store, conversations
from nightschool.store.engine import migrate, open_engine
from nightschool.store.schema import Base
from nightschool.types import BASE, Feedback, Message, Signal, ToolCall, Verdict, Version
from tests.helpers import promote

HI, HELLO = Message("user", "hi"), Message("assistant", "hello")


def record(store: Store, *texts: str, session: str | None = None, user: str | None = None) -> str:
    """Alternating user and assistant texts, the last of which was just answered."""
    roles = ("user", "assistant")
    messages = [Message(roles[i % 2], t) for i, t in enumerate(texts)]  # type: ignore[arg-type]
    return store.sessions.record(
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
    return [m.content for m in store.sessions.get(session).messages]


def test_a_session_comes_back_as_it_went_in(store: Store, home: Path) -> None:
    call = Message("assistant", "", (ToolCall("c1", "find", '{"q": "ü"}'),))
    result = Message("tool", "42", tool_call_id="c1")
    tools = ({"type": "function", "function": {"name": "find"}},)
    history = [Message("system", "Be brief."), HI, call, result]
    session = store.sessions.record(
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
    found = Store.open(home).sessions.get(session)
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
    # Whitespace does not make it another conversation; but what is recorded is what the client sent.
    assert contents(store, first) == ["hi", " hello\n", "more", "yes", "again", "sure"]
    assert store.sessions.of_response("r_2_hello") == first


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
    assert store.sessions.of_response("r_2_hello") == "mine"  # superseded, not lost


def test_an_edited_last_answer_is_kept_up_with(store: Store) -> None:
    edited = [HI, Message("assistant", "good day")]
    session = record(store, "hi", "hello", session="mine")
    assert store.sessions.sync("mine", edited, None) == session
    assert contents(store, "mine") == ["hi", "good day"]
    # A client that sends less than what is recorded takes nothing back.
    record(store, "hi", "good day", "more", "yes", session="mine")
    assert store.sessions.sync("mine", edited, None) == store.sessions.sync("mine", [], None) == "mine"
    assert contents(store, "mine") == ["hi", "good day", "more", "yes"]


def test_a_conversation_that_is_not_recorded_yet_becomes_a_session(store: Store) -> None:
    assert store.sessions.sync(None, [HI], None) is None
    session = store.sessions.sync(None, [HI, HELLO], "ann")
    assert session
    assert contents(store, session) == ["hi", "hello"]
    assert store.sessions.sync(None, [HI, HELLO], "ann") == session


def test_the_same_answer_regenerated_keeps_both_responses(store: Store) -> None:
    record(store, "hi", "hello", session="mine")
    store.sessions.record(
        session_id="mine", user=None, history=[HI], answer=HELLO, response_id="second", version=BASE
    )
    assert store.sessions.of_response("second") == store.sessions.of_response("r_2_hello") == "mine"
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
    assert store.feedback.rate(Feedback("f1", session, "good", "nice"))
    assert not store.feedback.rate(Feedback("f1", session, "good", "nice"))
    with pytest.raises(BadRequest, match="other content"):
        store.feedback.rate(Feedback("f1", session, "bad"))
    store.feedback.rate(Feedback("f2", session, "bad"))
    assert store.sessions.get(session).rating == "bad"
    assert store.feedback.retract_rating(session).id == "f2"  # type: ignore[union-attr]
    assert (store.sessions.get(session).rating, store.sessions.get(session).comment) == ("good", "nice")
    assert store.feedback.retract("f1") == session
    (taken, _) = store.feedback.ratings(session)
    assert taken.retracted
    assert store.feedback.retract("f1") == session
    assert store.feedback.retract_rating(session) is None
    assert store.sessions.get(session).rating is None
    assert not store.feedback.rate(Feedback("f1", session, "good", "nice"))  # taken back for good
    assert len(store.feedback.ratings(session)) == 2


def test_signals_count_once_and_can_be_taken_back(store: Store) -> None:
    session = record(store, "hi", "hello")
    edited = Signal("g1", session, "r_2_hello", "edited", text="good day")
    rejected = Signal("g2", session, "r_2_hello", "rejected", comment="too short")
    assert store.feedback.signal(edited)
    assert not store.feedback.signal(edited)
    assert store.feedback.signal(rejected)
    for other in (
        replace(edited, text="good night"),
        replace(edited, kind="accepted", text=None),
        replace(rejected, comment=None),
    ):
        with pytest.raises(BadRequest, match="other content"):
            store.feedback.signal(other)
    assert [(s.id, s.kind, s.text, s.comment) for s in store.feedback.signals(session)] == [
        ("g1", "edited", "good day", None),
        ("g2", "rejected", None, "too short"),
    ]
    assert store.sessions.get(session).rating is None  # a signal does not judge the session
    assert store.feedback.retract("g1") == session
    assert store.feedback.retract("g1") == session
    assert [s.id for s in store.feedback.signals(session)] == ["g2"]
    assert not store.feedback.signal(edited)  # taken back for good


def test_ratings_and_signals_share_their_ids(store: Store) -> None:
    session = record(store, "hi", "hello")
    store.feedback.rate(Feedback("f", session, "good"))
    with pytest.raises(BadRequest, match="other content"):
        store.feedback.signal(Signal("f", session, "r_2_hello", "accepted"))
    store.feedback.signal(Signal("g", session, "r_2_hello", "accepted"))
    with pytest.raises(BadRequest, match="other content"):
        store.feedback.rate(Feedback("g", session, "good"))
    assert [f.id for f in store.feedback.ratings(session)] == ["f"]
    assert [s.id for s in store.feedback.signals(session)] == ["g"]


def test_a_signal_knows_where_its_response_is_now(store: Store) -> None:
    record(store, "hi", "hello", session="mine")
    record(store, "hi", "hello", "more", "yes", session="mine")
    record(store, "hi", "hello", session="other")  # the same response id, as far as this test goes
    store.feedback.signal(Signal("g1", "mine", "r_4_yes", "accepted"))
    store.feedback.signal(Signal("g2", "mine", "r_2_hello", "accepted"))
    store.feedback.signal(Signal("g3", "other", "r_2_hello", "accepted"))

    def places() -> dict[str, int | None]:
        both = [*store.feedback.signals("mine"), *store.feedback.signals("other")]
        return {s.id: s.position for s in both}

    assert places() == {"g1": 3, "g2": 1, "g3": 1}
    record(store, "hi", "hello", "more", "no", session="mine")
    assert places() == {"g1": None, "g2": 1, "g3": 1}
    assert store.feedback.signal(Signal("g4", "mine", "r_4_yes", "rejected"))  # superseded, not lost
    assert [s.id for s in store.feedback.signals("mine")] == ["g1", "g2", "g4"]


def test_an_edited_answer_that_the_client_goes_on_with_is_still_the_edited_one(store: Store) -> None:
    session = record(store, "hi", "hello", session="mine")
    store.feedback.signal(Signal("g1", session, "r_2_hello", "edited", "good day"))
    store.feedback.signal(Signal("g2", session, "r_2_hello", "rejected"))
    record(store, "hi", "good day ", "more", "yes", session="mine")
    assert {s.id: s.position for s in store.feedback.signals(session)} == {"g1": 1, "g2": None}
    record(store, "hi", "good evening", "more", "yes", session="mine")  # nobody said that
    assert {s.id: s.position for s in store.feedback.signals(session)} == {"g1": None, "g2": None}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(texts, min_size=1, max_size=5))
def test_where_a_signal_points_is_its_response(
    tmp_path_factory: pytest.TempPathFactory, conversations: list[list[str]]
) -> None:
    store = Store.open(tmp_path_factory.mktemp("home"))
    answers = {}
    for i, said in enumerate(conversations):
        history = [Message("user" if n % 2 == 0 else "assistant", t) for n, t in enumerate(said)]
        store.sessions.record(
            session_id="s",
            user=None,
            history=history[:-1],
            answer=history[-1],
            response_id=f"r{i}",
            version=BASE,
        )
        store.feedback.signal(Signal(f"g{i}", "s", f"r{i}", "accepted"))
        answers[f"r{i}"] = said[-1]
    signals, now = store.feedback.signals("s"), contents(store, "s")
    assert [s.id for s in signals] == [f"g{i}" for i in range(len(conversations))]
    assert signals[-1].position == len(now) - 1
    placed = {s.position: answers[s.response_id] for s in signals if s.position is not None}
    assert all(now[position].strip() == text.strip() for position, text in placed.items())
    store.close()


def test_what_was_said_after_the_thumbs_up_was_not_judged(store: Store) -> None:
    session = record(store, "hi", "hello")
    store.feedback.rate(Feedback("f1", session, "good"))
    record(store, "hi", "hello", "more", "wrong")
    assert contents(store, session) == ["hi", "hello", "more", "wrong"]
    assert [m.content for m in store.sessions.judged(session).messages] == ["hi", "hello"]
    record(store, "hi", "good day", session=session)  # edited: what was judged is another answer
    assert [m.content for m in store.sessions.judged(session).messages] == ["hi", "hello"]
    store.feedback.rate(Feedback("f2", session, "good"))
    assert [m.content for m in store.sessions.judged(session).messages] == ["hi", "good day"]


def test_unknown_names_say_what_to_do(store: Store) -> None:
    for ask in (
        lambda: store.sessions.get("x"),
        lambda: store.feedback.rate(Feedback("f", "x", "good")),
        lambda: store.versions.get("n@1"),
        lambda: store.versions.point_to("n@1", expect=BASE),
        lambda: store.dreams.get("d"),
        lambda: store.sessions.of_response("r"),
        lambda: store.feedback.retract("f"),
        lambda: store.feedback.signal(Signal("g", "x", "r", "accepted")),
    ):
        with pytest.raises(NotFound, match="there is no"):
            ask()


def test_importing_twice_changes_nothing(store: Store) -> None:
    session, new = store.sessions.add(None, user=None, messages=[HI, HELLO], tools=())
    assert new
    assert store.sessions.add(None, user=None, messages=[HI, HELLO], tools=()) == (session, False)
    assert len(store.sessions.all()) == store.sessions.count() == 1
    with pytest.raises(BadRequest, match="other messages"):
        store.sessions.add(session, user=None, messages=[HI], tools=())


def test_a_moved_home_finds_its_versions(store: Store, home: Path) -> None:
    promote(store, "n@1", BASE, home / "versions" / "n@1")
    promote(store, "n@2", "n@1", Path("/elsewhere/n@2"))
    store.close()
    with closing(Store.open(home.rename(home.with_name("moved")))) as moved:
        paths = [version.path for version in moved.versions.all()]
    assert paths == [str(home.with_name("moved") / "versions" / "n@1"), "/elsewhere/n@2"]


def test_version_names_are_never_given_out_twice(store: Store, home: Path) -> None:
    def reserve(_: int) -> list[str]:
        mine = Store.open(home)
        names = [mine.versions.new_name("n") for _ in range(5)]
        mine.close()
        return names

    with ThreadPoolExecutor(4) as pool:
        names = [name for found in pool.map(reserve, range(4)) for name in found]
    assert sorted(names, key=lambda n: int(n[2:])) == [f"n@{i}" for i in range(1, 21)]


def test_the_live_pointer_moves_only_from_where_it_is(store: Store) -> None:
    for name, parent in (("n@1", BASE), ("n@2", "n@1")):
        promote(store, name, parent, Path("/x"))
    store.versions.point_to(BASE, expect="n@2")
    store.versions.point_to("n@1", expect=BASE)
    with pytest.raises(StoreError, match="no longer base"):
        store.versions.point_to("n@2", expect=BASE)
    store.versions.point_to("n@2", expect="n@1")
    assert [v.name for v in store.versions.lineage("n@2")] == ["n@1", "n@2"]
    assert store.versions.lineage(BASE) == []


def test_one_process_dreams_at_a_time(store: Store, home: Path) -> None:
    store.dreams.start("d1", sessions=["s"], parent=BASE, config={"a": 1}, pid=1)
    other = Store.open(home)
    with store.dreams.lock(), pytest.raises(DreamError, match="a dream is running"), other.dreams.lock():
        pass
    with other.dreams.lock():
        other.dreams.reject("d1", Verdict(False, ("why",)))
    assert (store.dreams.get("d1").verdict or {})["reasons"] == ["why"]
    other.close()


ENDS: dict[str, Callable[[Store], None]] = {
    "failed": lambda store: store.dreams.fail("d1", "why"),
    "rejected": lambda store: store.dreams.reject("d1", Verdict(False, ())),
    "promoted": lambda store: store.versions.promote("d1", Version("n@1", BASE, "/x"), Verdict(True, ())),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_dream_that_is_over_stays_so(store: Store, end: str) -> None:
    store.dreams.start("d1", sessions=["s"], parent=BASE, config={}, pid=1)
    store.dreams.interrupt("d1", "disk")
    store.dreams.resume("d1", 2)
    assert (store.dreams.get("d1").status, store.dreams.get("d1").error) == ("running", None)
    ENDS[end](store)
    assert store.dreams.get("d1").status == end
    changes = (
        lambda s: s.dreams.fail("d1", "why"),
        lambda s: s.dreams.reject("d1", Verdict(False, ())),
        lambda s: s.dreams.resume("d1", 3),
        lambda s: s.dreams.interrupt("d1", "x"),
        lambda s: s.dreams.note_progress("d1", {}),
        lambda s: s.dreams.narrow("d1", []),
        lambda s: s.dreams.note_lessons("d1", {}),
        lambda s: s.dreams.note_launch("d1"),
    )
    for change in changes:
        with pytest.raises(StoreError, match=f"is {end}: it cannot become"):
            change(store)
    assert store.dreams.get("d1").status == end


def test_a_promotion_is_whole_or_not_at_all(store: Store) -> None:
    store.dreams.start("d1", sessions=["s"], parent=BASE, config={}, pid=1)
    promote(store, "n@1", BASE, Path("/x"))  # somebody else was faster
    with pytest.raises(StoreError, match="no longer base"):
        store.versions.promote("d1", Version("n@2", BASE, "/y"), Verdict(True, ()))
    assert [v.name for v in store.versions.all()] == ["n@1"]
    assert (store.dreams.get("d1").status, store.dreams.get("d1").version) == ("running", None)
    assert store.versions.live() == "n@1"


def test_a_refused_version_is_not_live_until_it_is_pointed_to_again(store: Store) -> None:
    for name, parent in (("n@1", BASE), ("n@2", "n@1"), ("n@3", "n@2")):
        promote(store, name, parent, Path("/x"))
    store.versions.note_swap("n@3", ok=True, detail="")
    assert store.versions.refusal() is None
    for name in ("n@3", "n@2"):
        store.versions.note_swap(name, ok=False, detail=f"{name} differs")
    assert store.versions.live() == "n@1"
    refusal = store.versions.refusal()
    assert refusal
    assert (refusal.version, refusal.detail) == ("n@3", "n@3 differs")
    with pytest.raises(StoreError, match="the live version is n@1"):
        store.versions.point_to(BASE, expect="n@3")
    store.versions.point_to("n@3", expect="n@1")  # whoever does so wants to try it again
    assert (store.versions.live(), store.versions.refusal()) == ("n@3", None)
    store.versions.note_swap("n@3", ok=False, detail="")
    store.versions.note_swap("n@2", ok=True, detail="")
    assert store.versions.live() == "n@2"


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
    chain = ""
    with engine.begin() as raw:
        raw.exec_driver_sql("insert into sessions values ('s', null, 'api', '[]', '2026', '2026')")
        for i, message in enumerate((HI, HELLO)):
            chain = conversations.link(chain, message)
            row = (i, "s", i, json.dumps(message.to_json()), chain, f"r{i}", "2026")
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
    assert len(store.sessions.all()) == 3
    store.close()


_FOREVER = """
import sys
from pathlib import Path
from nightschool.store import Store, conversations
from nightschool.types import Message
store = Store.open(Path(sys.argv[1]))
for i in range(10**6):
    store.sessions.record(session_id="s%d" % i, user=None, history=[Message("user", "hi")],
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
    recorded = {s.id: s for s in store.sessions.all()}
    assert all(len(recorded[f"s{i}"].messages) == 2 for i in seen)
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
