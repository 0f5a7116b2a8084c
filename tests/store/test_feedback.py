"""Ratings and signals: sent twice they count once, and retracted they stay retracted."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightschool.errors import BadRequest
from nightschool.store import Store
from nightschool.types import BASE, Feedback, Signal
from tests.helpers import turns
from tests.store.conftest import contents, record, texts


def test_feedback_counts_once_and_the_newest_counts(store: Store) -> None:
    session = record(store, "hi", "hello")
    assert store.feedback.rate(Feedback("f1", session, "good", "nice"))
    assert not store.feedback.rate(Feedback("f1", session, "good", "nice"))
    with pytest.raises(BadRequest, match="other content"):
        store.feedback.rate(Feedback("f1", session, "bad"))
    store.feedback.rate(Feedback("f2", session, "bad"))
    assert store.sessions.get(session).rating == "bad"
    newest = store.feedback.retract_rating(session)
    assert newest
    assert newest.id == "f2"
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


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(texts, min_size=1, max_size=5))
def test_where_a_signal_points_is_its_response(
    tmp_path_factory: pytest.TempPathFactory, conversations: list[list[str]]
) -> None:
    store = Store.open(tmp_path_factory.mktemp("home"))
    answers = {}
    for i, said in enumerate(conversations):
        history = turns(*said)
        session = store.sessions.record(
            session_id="s",
            user=None,
            history=history[:-1],
            answer=history[-1],
            response_id=f"r{i}",
            version=BASE,
        )
        if session != "s":  # a text that happens to quote an earlier one is taken for a helper's
            continue
        store.feedback.signal(Signal(f"g{i}", "s", f"r{i}", "accepted"))
        answers[f"r{i}"] = said[-1]
    signals, now = store.feedback.signals("s"), contents(store, "s")
    assert [s.response_id for s in signals] == [*answers]
    assert signals[-1].position == len(now) - 1
    placed = {s.position: answers[s.response_id] for s in signals if s.position is not None}
    assert all(now[position].strip() == text.strip() for position, text in placed.items())
    store.close()
