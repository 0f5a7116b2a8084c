"""Which session a request continues, and what is recorded of it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightschool.store import Store
from nightschool.types import BASE
from tests.store.conftest import HELLO, HI, contents, record, texts


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


def test_the_same_answer_regenerated_keeps_both_responses(store: Store) -> None:
    record(store, "hi", "hello", session="mine")
    store.sessions.record(
        session_id="mine", user=None, history=[HI], answer=HELLO, response_id="second", version=BASE
    )
    assert store.sessions.of_response("second") == store.sessions.of_response("r_2_hello") == "mine"
    assert contents(store, "mine") == ["hi", "hello"]


@pytest.mark.slow
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
