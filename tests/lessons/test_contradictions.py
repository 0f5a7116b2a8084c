"""When a newer session overrules an older check, and when it does not."""

import pytest

from nightschool.lessons.contradictions import contradicts, related
from nightschool.lessons.exchanges import standalone, threads
from nightschool.types import Message

MOVED = (
    Message("user", "Our staging host is now kestrel-7. Which host is staging on?"),
    Message("assistant", "Staging runs on kestrel-7."),
)
ASKED = "Which host is staging on?"


def overruled(request: str, was: str, now: str, context: tuple[Message, ...]) -> bool:
    exchanges = [e for one in threads(context)[0] for e in standalone(context, one)]
    return contradicts(request, was, now, context, exchanges)


def test_a_fact_that_changed_overrules() -> None:
    assert related(ASKED, MOVED)
    assert overruled(ASKED, "Staging runs on heron-42.", "Staging runs on kestrel-7.", MOVED)


@pytest.mark.parametrize(
    ("request_", "was", "now"),
    [
        (ASKED, "Staging runs on heron-42.", "Staging runs on heron-42."),  # it still says so
        (ASKED, "Staging runs on heron-42.", "Staging runs on raven-3."),  # nobody said that
        (ASKED, "Staging runs on heron-42.", "I do not know."),  # another sentence
    ],
)
def test_what_the_session_does_not_say_overrules_nothing(request_: str, was: str, now: str) -> None:
    assert not overruled(request_, was, now, MOVED)


def test_an_answer_of_the_requests_own_entities_is_no_news() -> None:
    context = (Message("user", "Pay INV-31 to Bell Ltd."), Message("assistant", "Bell Ltd: INV-31"))
    assert not overruled("Pay INV-31 to Cole Ltd.", "Cole Ltd: INV-30", "Cole Ltd: INV-31", context)


def test_another_format_for_the_same_kind_of_request_overrules() -> None:
    context = (Message("user", "Pay INV-31 to Bell Ltd."), Message("assistant", "INV-31 => Bell Ltd"))
    asked = "Pay INV-77 to Cole Ltd."
    assert overruled(asked, "Cole Ltd: INV-77", "INV-77 => Cole Ltd", context)
    assert not overruled(asked, "INV-77 => Cole Ltd", "Cole Ltd: INV-77", context)
    assert not overruled("Book a room for Ann Cole.", "Room: Ann Cole", "INV-77 => Cole Ltd", context)


def test_a_session_about_something_else_is_not_related() -> None:
    assert not related("Which queue takes printer tickets?", MOVED)
    assert not related("?", MOVED)
