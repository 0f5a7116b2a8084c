"""`import`: the good lines go in, the bad ones are named, twice is once."""

import json

import pytest

from nightschool.serve.importing import import_jsonl
from nightschool.store import Store

TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def line(**fields: object) -> bytes:
    return json.dumps({"messages": TURNS, **fields}).encode()


def test_imports_with_feedback_and_twice_is_once(store: Store) -> None:
    lines = [line(id="a", user="ann", feedback={"rating": "good", "comment": "nice"}), b"\n", line()]
    first = import_jsonl(store, lines)
    assert (first.new, first.unchanged, first.bad) == (2, 0, [])
    again = import_jsonl(store, lines)
    assert (again.new, again.unchanged, again.bad) == (0, 2, [])
    session = store.sessions.get("a")
    assert (session.user, session.rating, session.comment, session.source) == (
        "ann",
        "good",
        "nice",
        "import",
    )
    assert len(store.feedback.ratings("a")) == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[]", "a session is a JSON object"),
        (line(mesages=[]), "unknown: mesages"),
        (b'{"id": "x"}', "messages"),
        (line(messages=[{"role": "user", "content": "hi"}]), "no answer of an assistant"),
        (line(messages=[*TURNS, {"role": "robot", "content": "x"}]), r"messages\.2"),
        (line(feedback={"rating": "great"}), "feedback must be"),
        (line(id=3), "id must be a text"),
        (line(tools=[{"type": "x"}]), "tools"),
    ],
)
def test_a_bad_line_is_reported_and_the_others_go_in(store: Store, bad: bytes, reason: str) -> None:
    import re

    report = import_jsonl(store, [line(id="a"), bad, line(id="b")])
    assert report.new == 2
    ((number, why),) = report.bad
    assert number == 2
    assert re.search(reason, why)
    assert "\n" not in why


def test_the_same_id_with_other_messages_is_refused(store: Store) -> None:
    other = [*TURNS, {"role": "user", "content": "more"}, {"role": "assistant", "content": "yes"}]
    report = import_jsonl(store, [line(id="a"), line(id="a", messages=other)])
    assert "other messages" in report.bad[0][1]
    assert len(store.sessions.get("a").messages) == 2


def test_commands_in_an_imported_chat_are_left_out(store: Store) -> None:
    import_jsonl(store, [line(id="a", messages=[*TURNS, {"role": "user", "content": "/good"}])])
    assert len(store.sessions.get("a").messages) == 2
