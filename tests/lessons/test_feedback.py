"""Edits, rejections, comments: what they make of a session."""

from dataclasses import replace

from nightschool.lessons.build import build_lesson
from nightschool.lessons.feedback import JudgedSession, apply_feedback, together, unwanted_answers
from nightschool.types import Message, Session, Signal

TURNS = (
    Message("user", "Pay INV-20 to Acme Ltd."),
    Message("assistant", "Acme Ltd: INV-20"),
    Message("user", "Pay INV-31 to Bell Ltd."),
    Message("assistant", "INV-31: Bell Ltd"),
)


def session(rating: str | None = "good", comment: str | None = None) -> Session:
    return Session("s", TURNS, rating=rating, comment=comment)  # type: ignore[arg-type]


def signal(position: int | None, kind: str, text: str | None = None, comment: str | None = None) -> Signal:
    return Signal("f", "s", "r", kind, text, comment, position=position)  # type: ignore[arg-type]


def known(found: JudgedSession) -> set[str | None]:
    lesson = build_lesson(
        found.session, seed=0, variations=8, held_back=2, rejected=found.rejected, comments=found.comments
    )
    return {p.expected for p in lesson.practice if p.kind in ("recorded", "replayed")}


def test_nothing_said_changes_nothing() -> None:
    assert apply_feedback(session()).session == session()
    assert apply_feedback(session(), [signal(1, "accepted")]).rejected == frozenset()
    assert apply_feedback(session(), [signal(None, "rejected")]).rejected == frozenset()  # that turn is gone


def test_a_comment_on_a_good_session_corrects_nothing() -> None:
    praised = apply_feedback(session(comment="thanks, but shorter"))
    assert praised == apply_feedback(session(comment="thanks, but shorter"), [signal(1, "accepted")])
    assert (praised.session.messages, praised.rejected, praised.comments) == (TURNS, frozenset(), frozenset())
    assert known(praised) == known(apply_feedback(session()))


def test_an_edited_answer_is_what_the_user_made_of_it() -> None:
    found = apply_feedback(session(), [signal(1, "edited", "INV-20: Acme Ltd")])
    assert found.session.messages[1].content == "INV-20: Acme Ltd"
    assert known(found) == {"INV-20: Acme Ltd", "INV-31: Bell Ltd"}


def test_a_rejected_answer_is_not_right_and_its_reason_follows_it() -> None:
    found = apply_feedback(session(), [signal(1, "rejected", comment="the number first")])
    assert found.session.messages[2] == Message("user", "That was not right: the number first")
    assert found.rejected == {1, 3}
    assert found.session.messages[4:] == TURNS[2:]
    assert known(found) == {None, "INV-31: Bell Ltd"}


def test_a_bad_session_teaches_through_its_comment() -> None:
    found = apply_feedback(session("bad", "Amounts are missing."))
    assert found.session.messages[:4] == TURNS
    assert found.session.messages[4].content == "That was not right: Amounts are missing."
    assert known(found) == {None}
    lesson = build_lesson(
        found.session, seed=0, variations=8, held_back=2, rejected=found.rejected, comments=found.comments
    )
    asked = {p.messages[-1].content for p in lesson.practice if p.kind == "recorded"}
    assert asked == {TURNS[0].content, TURNS[2].content}  # the comment is no request


def test_an_imported_answer_of_weight_0_is_neither_learned_nor_unwanted() -> None:
    weightless = (TURNS[0], replace(TURNS[1], weight=0), *TURNS[2:])
    found = apply_feedback(replace(session(), messages=weightless))
    lesson = build_lesson(found.session, seed=0, variations=8, held_back=2, rejected=found.rejected)
    own = [p for p in lesson.practice if p.kind != "varied"]
    assert {p.messages[-1] for p in own} == {TURNS[2]}
    assert weightless[:3] in {p.messages for p in own}  # it is still what was said before
    assert (TURNS[0].content, "its answer has weight 0") in {
        (drop.what, drop.reason) for drop in lesson.drops
    }
    assert lesson.readings[0].role == "unknown: its answer has weight 0"
    assert unwanted_answers(found.session) == []


def test_single_answers_that_were_accepted_make_one_lesson() -> None:
    one = Session("a", TURNS[:2])
    other = Session("b", TURNS[2:])
    accepted = apply_feedback(other, [signal(1, "accepted")])
    found = together([apply_feedback(one, [signal(1, "edited", "INV-20: Acme Ltd")]), accepted], "both")
    assert [m.content for m in found.session.messages] == [
        TURNS[0].content,
        "INV-20: Acme Ltd",
        TURNS[2].content,
        TURNS[3].content,
    ]
    assert known(found) == {"INV-20: Acme Ltd", "INV-31: Bell Ltd"}


def test_of_a_session_that_nobody_rated_only_what_was_accepted_is_right() -> None:
    found = apply_feedback(Session("s", (*TURNS, *TURNS)), [signal(3, "accepted")])
    assert found.session.messages == TURNS
    assert known(found) == {None, "INV-31: Bell Ltd"}


def test_a_bad_session_without_a_word_and_rejected_answers_guard() -> None:
    assert unwanted_answers(session("bad")) == [
        (TURNS[:1], "Acme Ltd: INV-20"),
        (TURNS[:3], "INV-31: Bell Ltd"),
    ]
    assert unwanted_answers(session("bad", "Amounts are missing.")) == []
    assert unwanted_answers(session(), [signal(3, "rejected")]) == [(TURNS[:3], "INV-31: Bell Ltd")]
    assert unwanted_answers(session()) == []
