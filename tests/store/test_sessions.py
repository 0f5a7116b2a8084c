"""Sessions come back as they went in, and can be added, judged and brought up to date."""

import sqlite3
from pathlib import Path

import pytest

from nightschool.errors import BadRequest, NotFound
from nightschool.store import Store
from nightschool.types import Feedback, Message, Signal, ToolCall
from tests.store.conftest import HELLO, HI, contents, record


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


def test_a_conversation_up_to_a_response(store: Store) -> None:
    record(store, "hi", "hello", session="mine")
    assert store.sessions.up_to("r_2_hello") == ((HI, HELLO), "mine")
    record(store, "hi", "hello", "more", "yes", session="mine")
    # Who goes on from the first answer now leaves the session as it is.
    assert store.sessions.up_to("r_2_hello") == ((HI, HELLO), None)
    assert store.sessions.up_to("r_4_yes") == (tuple(store.sessions.get("mine").messages), "mine")
    record(
        store, "hi", "good day", session="mine"
    )  # regenerated: what was said before can still be gone on from
    (*before, last), session = store.sessions.up_to("r_4_yes")
    assert ([m.content for m in before], last.content, session) == (["hi", "hello", "more"], "yes", None)
    assert store.sessions.answer("r_4_yes") == last
    for method in (store.sessions.up_to, store.sessions.answer):
        with pytest.raises(NotFound):
            method("nothing")


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


def test_importing_twice_changes_nothing(store: Store) -> None:
    session, new = store.sessions.add(None, user=None, messages=[HI, HELLO], tools=())
    assert new
    assert store.sessions.add(None, user=None, messages=[HI, HELLO], tools=()) == (session, False)
    assert len(store.sessions.all()) == store.sessions.count() == 1
    with pytest.raises(BadRequest, match="other messages"):
        store.sessions.add(session, user=None, messages=[HI], tools=())


def test_which_sessions_teach_and_which_are_unwanted(store: Store) -> None:
    names = ("liked", "bad", "bad why", "accepted", "rejected", "rejected why", "silent")
    for name in names:
        record(store, name, "hello", session=name)
    store.feedback.rate(Feedback("f1", "liked", "good"))
    store.feedback.rate(Feedback("f2", "bad", "bad"))
    store.feedback.rate(Feedback("f3", "bad why", "bad", "no"))
    store.feedback.signal(Signal("g1", "accepted", "r_2_hello", "accepted"))
    store.feedback.signal(Signal("g2", "rejected", "r_2_hello", "rejected"))
    store.feedback.signal(Signal("g3", "rejected why", "r_2_hello", "rejected", comment="no"))

    assert store.sessions.teaching() == ["liked", "bad why", "accepted", "rejected why"]
    assert store.sessions.teaching(among=["bad", "bad why"]) == ["bad why"]
    assert store.sessions.teaching(without=["liked", "bad why"]) == ["accepted", "rejected why"]
    assert {s.id for s in store.sessions.unwanted()} == {"bad", "rejected", "rejected why"}

    record(store, "accepted", "regenerated", session="accepted")  # what was accepted is no longer there
    store.feedback.retract_rating("bad")
    assert store.sessions.teaching() == ["liked", "bad why", "rejected why"]
    assert {s.id for s in store.sessions.unwanted()} == {"rejected", "rejected why"}
