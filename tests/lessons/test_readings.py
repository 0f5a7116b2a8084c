"""What people are told was made of each of their turns."""

from collections.abc import Sequence

import pytest

from nightschool.lessons.build import build_lesson, understand
from nightschool.lessons.readings import readings
from nightschool.types import Message, Reading, Session
from tests.helpers import turns
from tests.lessons.test_build import FLOWS, INVOICES
from tests.lessons.test_exchanges import CORRECTED


def read(context: Sequence[Message], rejected: set[int] | None = None) -> list[Reading]:
    return [*readings(context, understand(context, rejected or ()), rejected or ())]


def test_an_exchange_that_stands_alone_has_its_right_answer_and_its_pattern() -> None:
    found = read(INVOICES.messages)
    assert found == [
        Reading(INVOICES.messages[1].content, INVOICES.messages[2].content, "stands alone", 0),
        Reading(INVOICES.messages[3].content, INVOICES.messages[4].content, "stands alone", 0),
    ]
    made = build_lesson(INVOICES, seed=0, variations=4, held_back=2)
    assert [*made.readings] == found
    assert made.understood[0].requests == tuple(one.request for one in found)


def test_a_mended_answer_is_what_the_correction_made_of_it() -> None:
    first, second = read(CORRECTED)
    assert first == Reading(CORRECTED[0].content, CORRECTED[3].content, "stands alone")
    assert second.answer == CORRECTED[3].content
    assert second.role == "mends the answer before: gives the same answer in another form"


def test_where_a_later_turn_may_have_corrected_it_the_answer_is_unknown() -> None:
    asked = turns("Who leads Ghent?", "Mira Stone leads Ghent.", "No, try again.", "Paul Verne leads Ghent.")
    assert read(asked) == [
        Reading("Who leads Ghent?", None, "unknown: its answer may have been corrected later"),
        Reading(
            "No, try again.",
            "Paul Verne leads Ghent.",  # where it was asked
            "unknown: may follow up the answer before or correct it",
        ),
    ]
    told = turns("Our lawyer is Ines Corvo.", "Thank you.", "Who is our lawyer?", "Ines Corvo.")
    assert [(one.answer, one.role) for one in read(told)] == [
        (None, "unknown: its answer may have been corrected later"),
        ("Ines Corvo.", "stands alone"),
    ]


def test_an_answer_that_nobody_wanted_is_not_the_right_one() -> None:
    asked = turns("Pay INV-20 to Acme Ltd.", "20", "Pay INV-31 to Bell Ltd.", "INV-31: Bell Ltd")
    first, second = read(asked, rejected={1})
    assert (first.answer, first.role) == (None, "unknown: its answer was not wanted")
    assert (second.answer, second.role) == ("INV-31: Bell Ltd", "stands alone")
    assert read(CORRECTED, rejected={3})[1].answer is None  # nor in its place


def test_the_reason_of_a_rejection_follows_the_turn_before() -> None:
    asked = turns("Pay INV-20 to Acme Ltd.", "20", "That was not right: the name is missing", "Understood.")
    understood = understand(asked, rejected={1, 3}, comments={2})
    _, comment = readings(asked, understood, {1, 3})
    role = "follows up the turn before: says what was wrong with the answer before"
    assert (comment.answer, comment.role) == (None, role)


@pytest.mark.parametrize("before", [(), ("Pay INV-20 to Acme Ltd.", "INV-20: Acme Ltd")])
def test_a_turn_without_an_answer_has_no_right_one(before: tuple[str, ...]) -> None:
    last = read(turns(*before, "Pay INV-31 to Bell Ltd."))[-1]
    assert (last.answer, last.role) == (None, "unknown: was not answered")


def test_a_tool_flow_is_one_exchange_with_the_answer_at_its_end() -> None:
    made = build_lesson(FLOWS, seed=0, variations=4, held_back=2)
    assert [one.answer for one in made.readings] == ["Closed: C-482.", "Closed: C-771."]
    (pattern,) = {one.pattern for one in made.readings}
    assert pattern is not None
    assert made.understood[pattern].twins[0][1].startswith("Closed: ")


def test_the_same_words_asked_twice_are_two_turns() -> None:
    unanswered = Session("s", (*turns("Pay INV-20 to Acme Ltd."), *turns("Pay INV-20 to Acme Ltd.", "20")))
    assert [(one.answer, one.role) for one in read(unanswered.messages)] == [
        (None, "unknown: was not answered"),
        ("20", "stands alone"),
    ]
