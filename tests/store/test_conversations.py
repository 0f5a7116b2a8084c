"""Which session a request belongs to, and what is recorded of it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from nightschool.store import Store
from nightschool.types import BASE, Message, ToolCall
from tests.helpers import turns
from tests.store.conftest import HELLO, HI, contents, record


def answer(store: Store, history: Sequence[Message], reply: Message, session: str | None = None) -> str:
    """Record an answer to what a client sent."""
    return store.sessions.record(
        session_id=session, user=None, history=history, answer=reply, response_id="r", version=BASE
    )


def superseded(store: Store) -> list[str]:
    """What was recorded once and is no part of its session any more."""
    with store._database.reading() as orm:
        rows = orm.connection().exec_driver_sql(
            "select json_extract(message, '$.content') from turns where superseded_at is not null"
        )
        return [row[0] for row in rows]


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


def test_an_edit_further_up_leaves_the_turns_after_it(store: Store) -> None:
    record(store, "hi", "hello", "more", "yes", session="mine")
    record(store, "hi", "good day", "more", "yes", "again", "sure", session="mine")
    assert contents(store, "mine") == ["hi", "good day", "more", "yes", "again", "sure"]
    assert superseded(store) == ["hello"]


def test_the_same_answer_regenerated_keeps_both_responses(store: Store) -> None:
    record(store, "hi", "hello", session="mine")
    store.sessions.record(
        session_id="mine", user=None, history=[HI], answer=HELLO, response_id="second", version=BASE
    )
    assert store.sessions.of_response("second") == store.sessions.of_response("r_2_hello") == "mine"
    assert contents(store, "mine") == ["hi", "hello"]


# A client that sends everything

# What a user does in a chat: go on, have an answer given again, or edit it and go on. The number says where.
deeds = st.lists(st.tuples(st.sampled_from(["more", "again", "edit"]), st.integers(0, 9)), max_size=8)
IN_A_NEW_HOME = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


@pytest.mark.slow
@IN_A_NEW_HOME
@given(deeds, st.booleans())
def test_what_the_client_shows_is_what_is_recorded(
    tmp_path_factory: pytest.TempPathFactory, done: list[tuple[str, int]], clock: bool
) -> None:
    store = Store.open(tmp_path_factory.mktemp("home"))
    shown: list[str] = []
    for n, (deed, where) in enumerate([("more", 0), *done]):
        at = 2 * (where % (len(shown) // 2)) if shown else 0  # a user's turn
        if deed == "again":
            del shown[at + 1 :]
        else:
            if deed == "edit":
                shown[at + 1] = f"edited {n}"
            shown.append(f"question {n}")
        history = [Message("system", f"It is 12:0{n}.")] * clock + turns(*shown)
        shown.append(f"answer {n}")
        answer(store, history, Message("assistant", shown[-1]), "mine")
        said = store.sessions.get("mine").messages
        assert [m.content for m in said] == [f"It is 12:0{n}."] * clock + shown
    store.close()


# A client that sends less


@pytest.mark.slow
@IN_A_NEW_HOME
@given(st.integers(1, 9), st.integers(1, 8), st.booleans(), st.booleans())
def test_a_window_supersedes_nothing(
    tmp_path_factory: pytest.TempPathFactory, size: int, questions: int, system: bool, named: bool
) -> None:
    """The last `size` messages are sent; without a session id, an exchange of them has to be recorded."""
    store = Store.open(tmp_path_factory.mktemp("home"))
    shown: list[str] = []
    for n in range(questions):
        window = turns(*shown, f"question {n}")[-size:]
        shown += (f"question {n}", f"answer {n}")
        history = [Message("system", f"It is 12:0{n}.")] * system + window
        answer(store, history, Message("assistant", shown[-1]), "mine" if named else None)
    if named or size >= 3:
        (session,) = store.sessions.all()
        assert [m.content for m in session.messages if m.role != "system"] == shown
        assert not [text for text in superseded(store) if not text.startswith("It is")]
    store.close()


@pytest.mark.parametrize(
    "sent",
    [
        ["again"],
        ["yes", "again"],
        ["hi", "hello", "more", "yes", "again"],
        ["hi", "more", "yes", "again"],  # the middle was cut
        ["In short: they greeted.", "more", "yes", "again"],  # the beginning was summed up
    ],
)
def test_whatever_part_of_it_a_client_sends_the_session_goes_on(store: Store, sent: list[str]) -> None:
    record(store, "hi", "hello", "more", "yes", session="mine")
    said = turns("hi", "hello", "more", "yes")
    roles = {m.content: m.role for m in said}
    history = [Message(roles.get(text, "user"), text) for text in sent]
    answer(store, history, Message("assistant", "sure"), "mine")
    assert contents(store, "mine") == ["hi", "hello", "more", "yes", "again", "sure"]
    assert superseded(store) == []


def test_an_answer_given_again_to_a_window(store: Store) -> None:
    record(store, "hi", "hello", "more", "yes", session="mine")
    answer(store, turns("hi", "hello", "more")[1:], Message("assistant", "no"), "mine")
    assert contents(store, "mine") == ["hi", "hello", "more", "no"]


def test_examples_before_every_request_are_no_window(store: Store) -> None:
    """A client without memory: what it sends ends like an earlier session, but every session begins so."""
    first = record(store, "good?", "positive", "good?", "positive")
    assert record(store, "good?", "positive", "awful?", "negative") != first
    assert contents(store, first) == ["good?", "positive", "good?", "positive"]


# What clients change


def test_a_clock_in_the_system_turn(store: Store) -> None:
    for n, said in enumerate((["hi"], ["hi", "hello", "more"])):
        history = [Message("system", f"Be brief. It is 12:0{n}."), *turns(*said)]
        session = answer(store, history, Message("assistant", ["hello", "yes"][n]))
    assert contents(store, session) == ["Be brief. It is 12:01.", "hi", "hello", "more", "yes"]
    assert len(store.sessions.all()) == 1


def test_of_two_sessions_that_differ_in_the_system_turn_the_own_one_goes_on(store: Store) -> None:
    ids = {}
    for system in ("Be a pirate.", "Be a lawyer."):
        ids[system] = answer(store, [Message("system", system), HI], HELLO)
    for system, session in ids.items():
        history = [Message("system", system), *turns("hi", "hello", f"{system} More")]
        assert answer(store, history, HELLO) == session


def test_notes_between_the_turns_come_and_go(store: Store) -> None:
    note = Message("system", "Stay in character.")
    first = answer(store, [HI, note], HELLO)
    assert answer(store, [*turns("hi", "hello"), note, Message("user", "more")], HELLO) == first
    assert contents(store, first) == ["hi", note.content, "hello", note.content, "more", "hello"]


def called(arguments: str, text: str, call_id: str) -> list[Message]:
    return [
        Message("assistant", text, (ToolCall(call_id, "find", arguments),)),
        Message("tool", "42", tool_call_id=call_id),
    ]


@pytest.mark.parametrize("session", ["mine", None])
def test_a_call_that_the_client_writes_its_own_way(store: Store, session: str | None) -> None:
    mine, theirs = called('{"q": "x", "n": 1.0}', "Wait.", "c1"), called('{"n":1,"q":"x"}', "", "other")
    first = answer(store, [HI], mine[0], session)
    assert answer(store, [HI, *theirs], HELLO, session) == first
    assert answer(store, [HI, *theirs, HELLO, HI], HELLO, session) == first
    ours = called('{"q": "x", "n": 1.0}', "Wait.", "other")  # as the model said it, under the client's id
    assert list(store.sessions.get(first).messages) == [HI, *ours, HELLO, HI, HELLO]
    assert superseded(store) == []


def test_finding_a_session_goes_by_an_index(store: Store, home: Path) -> None:
    record(store, "hi", "hello", "more", "yes")
    asked: list[tuple[str, tuple[object, ...]]] = []
    engine = store._database._engine
    event.listen(
        engine, "before_cursor_execute", lambda *args: asked.append((args[2], args[3])) if args[2] else None
    )
    assert store.sessions.find(turns("more", "yes", "again"), None)  # a window: both ways are tried
    with engine.connect() as connection:
        queries = [query for query in asked if query[0].startswith("SELECT")]
        plans = [
            str(row[3])
            for query, parameters in queries
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", parameters)
        ]
    assert len(queries) > 2
    assert not [plan for plan in plans if plan.startswith("SCAN")]
