"""Which dream comes next, and how often a server tries by itself."""

import pytest

from nightschool.config import Config
from nightschool.errors import NothingToLearn
from nightschool.night.queue import LAUNCHES, resume_or_start, tried
from nightschool.store import Store
from nightschool.types import BASE, Feedback, Verdict
from tests.helpers import SUM, TOTAL, like, turns


def launch(store: Store) -> str:
    """As a server that dreams by itself plans a dream."""
    plan = resume_or_start(store, Config(), ())
    store.dreams.note_launch(plan.id)
    return plan.id


@pytest.mark.parametrize("ends", ["failed", "interrupted", "killed"])
def test_a_dream_that_breaks_off_is_tried_again_twice_and_no_more(store: Store, ends: str) -> None:
    like(store, "sum", *SUM)
    for _ in range(LAUNCHES):
        assert not tried(store)
        dream = launch(store)
        if ends == "failed":
            store.dreams.fail(dream, "RuntimeError: no memory")
        if ends == "interrupted":
            store.dreams.interrupt(dream, "the disk is full")
    assert LAUNCHES == 3
    assert tried(store)
    assert len(store.dreams.all()) == (3 if ends == "failed" else 1)  # the others were resumed
    like(store, "total", *TOTAL)  # something new to learn
    assert not tried(store)


def test_a_rejected_dream_that_set_a_session_aside_is_not_dreamt_again(store: Store) -> None:
    like(store, "odd", *TOTAL)
    like(store, "sum", *SUM)
    dream = launch(store)
    store.dreams.note_lessons(dream, {"odd": {"set_aside": "needs 5 more exchanges of this kind"}})
    store.dreams.narrow(dream, ["sum"])
    store.dreams.interrupt(dream, "the disk is full")
    assert launch(store) == dream
    store.dreams.note_lessons(dream, {"sum": {"practised": {}}})  # it was read for these alone
    store.dreams.reject(dream, Verdict(False, ("drift",)))
    assert store.dreams.get(dream).sessions == ("sum",)
    assert tried(store)


@pytest.mark.parametrize("ends", ["rejected", "failed"])
def test_a_session_that_has_grown_and_is_liked_again_is_tried_again(store: Store, ends: str) -> None:
    like(store, "sum", *SUM)
    for _ in range(LAUNCHES):
        dream = launch(store)
        if ends == "failed":
            store.dreams.fail(dream, "session sum: needs 5 more exchanges of this kind")
    if ends == "rejected":
        store.dreams.reject(dream, Verdict(False, ("drift",)))
    assert tried(store)
    store.sessions.sync("sum", turns(*SUM, *TOTAL), None)
    assert tried(store)  # nobody has judged the new turns
    store.feedback.rate(Feedback("again", "sum", "good"))
    assert not tried(store)
    assert len(store.sessions.judged("sum").messages) == len(SUM) + len(TOTAL)


def test_what_was_promoted_and_taken_back_is_not_learned_again_by_itself(store: Store) -> None:
    from pathlib import Path

    from nightschool.types import Version

    like(store, "sum", *SUM)
    plan = resume_or_start(store, Config(), ())
    store.versions.promote(plan.id, Version("n@1", BASE, str(Path("/x")), ("sum",)), Verdict(True, ()))
    assert not store.sessions.teaching(without=["sum"])
    store.versions.point_to(BASE, expect="n@1")
    assert tried(store)
    assert resume_or_start(store, Config(), ()).sessions == ("sum",)  # but by whoever wants it


def test_a_dream_with_settings_of_an_earlier_release_begins_anew(store: Store) -> None:
    like(store, "sum", *SUM)
    store.dreams.start("old", sessions=["sum"], parent=BASE, config={"learn": {"gone": 1}}, pid=1)
    plan = resume_or_start(store, Config(), ())
    assert plan.id != "old"
    assert store.dreams.get("old").status == "failed"
    assert "earlier release" in (store.dreams.get("old").error or "")


def test_a_wanted_session_must_be_liked(store: Store) -> None:
    store.sessions.add("x", user=None, messages=[], tools=())
    with pytest.raises(NothingToLearn, match="`nightschool good x` first"):
        resume_or_start(store, Config(), ("x",))
