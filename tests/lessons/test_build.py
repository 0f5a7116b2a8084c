"""From sessions to lessons: what is practised, what is held back, what is dropped and why."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.lessons.anchors import practice_anchors, probe_anchors
from nightschool.lessons.build import build_lesson
from nightschool.types import Lesson, Message, Session, ToolCall


def session(*texts: str, system: str | None = None) -> Session:
    roles = ("user", "assistant")
    turns = [Message(roles[i % 2], t) for i, t in enumerate(texts)]  # type: ignore[arg-type]
    return Session("s1", (*([Message("system", system)] if system else []), *turns))


def lesson(of: Session, seed: int = 0, variations: int = 20, held_back: int = 8) -> Lesson:
    return build_lesson(of, seed=seed, variations=variations, held_back=held_back)


INVOICES = session(
    "Invoice INV-2041 from Acme Ltd over 1250.00 EUR.",
    "PAY | Acme Ltd | INV-2041 | 1250.00",
    "Invoice INV-7718 from Northwind GmbH over 389.50 EUR.",
    "PAY | Northwind GmbH | INV-7718 | 389.50",
    system="You keep the books.",
)


def test_a_lesson_has_its_own_requests_and_variations_of_them() -> None:
    made = lesson(INVOICES)
    assert made.context == INVOICES.messages
    recorded = [p for p in made.practice if p.kind == "recorded"]
    assert [p.expected for p in recorded] == [INVOICES.messages[2].content, INVOICES.messages[4].content]
    assert len(made.practice) == 2 + 20
    assert len(made.held_back) == 8
    assert all(p.expected is not None for p in made.held_back)  # those that measure best
    for request in (*made.practice, *made.held_back):
        assert [m.role for m in request.messages] == ["system", "user"]


def test_nothing_held_back_is_practised_and_the_seed_decides() -> None:
    made = lesson(INVOICES)
    practised = {p.messages[-1].content for p in made.practice}
    assert not practised & {p.messages[-1].content for p in made.held_back}
    assert lesson(INVOICES) == made
    assert lesson(INVOICES, seed=1) != made


@settings(max_examples=25)
@given(st.integers(0, 99), st.integers(0, 40), st.integers(0, 40))
def test_the_split_never_leaks(seed: int, variations: int, held_back: int) -> None:
    made = lesson(INVOICES, seed, variations, held_back)
    texts = [p.messages[-1].content for p in (*made.practice, *made.held_back)]
    assert len(texts) == len(set(texts))
    assert len(made.held_back) <= held_back


@pytest.mark.parametrize("mending", ["No, put the company first.", "That's wrong: the company goes first."])
def test_a_correction_belongs_to_the_request_before_it(mending: str) -> None:
    made = lesson(
        session("Invoice INV-2041 from Acme Ltd.", "INV-2041 | Acme Ltd", mending, "Acme Ltd | INV-2041")
    )
    (recorded,) = [p for p in made.practice if p.kind == "recorded"]
    assert recorded.expected == "Acme Ltd | INV-2041"
    assert made.drops[0].reason == "follows up an earlier request"


def test_a_request_without_entities_is_reworded() -> None:
    made = lesson(session("what is our motto?", "Slow is smooth."))
    assert made.held_back
    assert {p.expected for p in (*made.practice, *made.held_back)} == {"Slow is smooth."}


def test_too_few_variations_are_reported() -> None:
    made = lesson(session("what is our motto?", "Slow is smooth."), variations=500)
    assert any("wanted variations exist" in d.reason for d in made.drops)


def test_a_turn_answered_through_tools_has_no_known_answer() -> None:
    called = Message("assistant", "", (ToolCall("c", "find", "{}"),))
    turns = (
        Message("user", "Find INV-2041."),
        called,
        Message("tool", "paid", tool_call_id="c"),
        Message("assistant", "INV-2041 is paid."),
    )
    made = lesson(Session("s", turns))
    assert all(p.expected is None for p in made.practice)


def test_a_session_without_requests_teaches_nothing() -> None:
    made = lesson(Session("s", (Message("assistant", "hello"),)))
    assert made.practice == made.held_back == ()


def test_anchors_are_many_distinct_and_split() -> None:
    practised, probes = practice_anchors(), probe_anchors()
    assert len({*practised, *probes}) == len(practised) + len(probes) == 200
    assert len(probes) == 40
