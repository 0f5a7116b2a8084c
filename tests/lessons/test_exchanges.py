"""Which turns are requests, and which answer would have been right for each."""

from collections.abc import Sequence

import pytest

from nightschool.lessons.exchanges import Exchange, Part, in_place, standalone, threads, turned
from nightschool.types import Message, ToolCall
from tests.helpers import turns

CORRECTED = turns("Pay INV-20 to Acme Ltd.", "Acme Ltd: INV-20", "No, the number first.", "INV-20: Acme Ltd")
SYSTEM = Message("system", "You keep the books.")


def test_every_user_turn_that_follows_nothing_up_is_a_request() -> None:
    context = turns(
        "Pay INV-20 to Acme Ltd.", "Acme Ltd: INV-20", "Pay INV-31 to Bell Ltd.", "Bell Ltd: INV-31"
    )
    found, drops = threads(context)
    assert [thread.parts for thread in found] == [(Part(0, 2),), (Part(2, 4),)]
    assert drops == []


@pytest.mark.parametrize("mending", ["No, the number first.", "That's wrong: the number goes first."])
def test_a_correction_belongs_to_the_request_before_it(mending: str) -> None:
    context = turns(CORRECTED[0].content, CORRECTED[1].content, mending, CORRECTED[3].content)
    (thread,), (drop,) = threads(context)
    assert thread.parts == (Part(0, 2), Part(2, 4, "replaced", drop.reason))
    assert (drop.what, drop.reason) == (mending, "gives the same answer in another form")
    assert [e.answer for e in standalone(context, thread)] == ["INV-20: Acme Ltd"]


def test_where_a_later_turn_may_correct_it_no_right_answer_is_known() -> None:
    context = turns(
        "Who leads Ghent?", "Mira Stone leads Ghent.", "No, try again.", "Paul Verne leads Ghent."
    )
    (thread,), (drop,) = threads(context)
    assert thread.right() is None
    assert standalone(context, thread) == [Exchange((), tuple(context[:1]), None)]
    assert [e.answer for e in in_place(context, thread)] == ["Paul Verne leads Ghent."]
    assert drop.reason == "may follow up the answer before or correct it"


def test_requests_that_are_answered_in_one_way_correct_nothing() -> None:
    context = turns(
        "Who leads Ghent?", "Mira Stone leads Ghent.", "No, try again.", "Paul Verne leads Ghent."
    )
    found, _ = threads(context, alike=lambda: [{0, 2}])
    assert [e.answer for thread in found for e in standalone(context, thread)] == [
        m.content for m in context[1::2]
    ]


def test_what_two_groups_are_answered_by_says_nothing_of_one_another() -> None:
    context = turns(
        "Who leads Ghent?", "Mira Stone leads Ghent.", "No, try again.", "Paul Verne leads Ghent."
    )
    (thread,), _ = threads(context, alike=lambda: [{0}, {2}])
    assert thread.right() is None


def test_what_is_known_to_follow_up_is_no_correction_however_much_the_answers_have_in_common() -> None:
    (thread,), _ = threads(CORRECTED, follow=lambda: {2: "stands"})
    assert [e.answer for e in standalone(CORRECTED, thread)] == ["Acme Ltd: INV-20"]
    (thread,), _ = threads(CORRECTED, follow=lambda: {2: "unknown"})
    assert [e.answer for e in standalone(CORRECTED, thread)] == [None]


LEADERS = turns(
    *("Who leads Oporto?", "Oporto is led by Isla Garside."),
    *("Sorry, one more: who leads Malaga?", "Malaga is led by Kirk Cobb."),
    *("Thanks. And who leads Basel?", "Basel is led by Toby Eaves."),
    *("Okay, who leads Cork?", "Cork is led by Edith Kettle."),
)


def known(context: Sequence[Message]) -> dict[str, str | None]:
    """Right answers by the requests that can be asked by themselves."""
    return {
        e.request[0].content: e.answer for thread in threads(context)[0] for e in standalone(context, thread)
    }


def test_openers_do_not_hide_that_requests_are_of_one_form() -> None:
    assert known(LEADERS) == {a.content: b.content for a, b in zip(LEADERS[::2], LEADERS[1::2], strict=True)}


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ("Who leads Oporto?", "Oporto is led by Gwen Birch."),
        ("No, who leads Oporto is Gwen Birch.", "Oporto is led by Gwen Birch."),
        ("Oh, and Oporto, I meant: that is Gwen Birch.", "Sorry, Oporto is led by Gwen Birch."),
    ],
)
def test_an_answer_that_is_corrected_later_than_the_next_turn_is_not_right(told: str, answer: str) -> None:
    seen = known([*LEADERS, *turns(told, answer)])
    assert seen["Who leads Oporto?"] in (None, answer)
    assert seen["Thanks. And who leads Basel?"] == "Basel is led by Toby Eaves."
    assert "Oh, and Oporto, I meant: that is Gwen Birch." not in seen


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ("Incorrect, it is Gwen Birch.", "Cork is led by Gwen Birch."),
        ("No, who leads Cork is Gwen Birch", "Cork is led by Gwen Birch."),
        ("Once more, please: who leads Cork?", "Cork is led by Gwen Birch."),
        ("Das ist falsch.", "Cork is led by Gwen Birch."),
    ],
)
def test_a_correction_is_one_however_many_requests_of_a_form_came_before(told: str, answer: str) -> None:
    seen = known([*LEADERS, *turns(told, answer)])
    assert seen["Okay, who leads Cork?"] in (None, answer)
    assert told not in seen
    assert len(seen) == 4


def test_a_doubted_answer_is_not_right_though_the_question_after_it_stands_alone() -> None:
    context = turns("Our lawyer is Ines Corvo.", "Thank you.", "Who is our lawyer?", "Ines Corvo.")
    first, second = threads(context)[0]
    assert (first.doubted, second.doubted) == (True, False)
    assert [e.answer for e in standalone(context, first)] == [None]
    assert [e.answer for e in standalone(context, second)] == ["Ines Corvo."]


def test_what_is_corrected_after_an_open_turn_may_be_something_else() -> None:
    context = turns(
        *("内線番号を教えて、中村さんの。", "中村さんの内線は5321です。"),
        *("内線番号を教えて、田中さんの。", "田中さんの内線は8541です。"),  # names that share a character
        *("いいえ、6945ですよ。", "田中さんの内線は6945です。"),
    )
    for thread in threads(context)[0]:
        for exchange in standalone(context, thread):
            name = "中村" if "中村" in exchange.request[0].content else "田中"
            assert exchange.answer is None or name in exchange.answer


def test_the_last_correction_counts() -> None:
    context = turns(
        *("Pay INV-20 to Acme", "ACME 20", "A bar between", "ACME|20", "Small letters", "acme|20"),
        *("Pay INV-31 to Bell", "bell|31"),
    )
    first, second = threads(context)[0]
    assert [e.answer for e in standalone(context, first)] == ["acme|20"]
    assert [e.answer for e in in_place(context, first)] == ["acme|20"] * 3
    assert [e.answer for e in standalone(context, second)] == ["bell|31"]


def test_standing_alone_a_request_has_the_system_turn_before_it_and_nothing_else() -> None:
    context = [SYSTEM, *turns("Pay INV-20 to Acme Ltd.", "20", "Pay INV-31 to Bell Ltd.", "31")]
    _, second = threads(context)[0]
    assert standalone(context, second) == [Exchange((SYSTEM,), (context[3],), "31")]
    assert standalone(context, second, rejected={4}) == [Exchange((SYSTEM,), (context[3],), None)]


def test_a_request_without_an_answer_has_no_right_one() -> None:
    context = turns("Pay INV-20 to Acme Ltd.")
    (thread,), _ = threads(context)
    assert standalone(context, thread) == [Exchange((), tuple(context), None)]
    assert in_place(context, thread) == []


def test_in_hindsight_a_corrected_answer_should_have_been_what_came_of_it() -> None:
    (thread,), _ = threads(CORRECTED)
    first, second = in_place(CORRECTED, thread)
    assert first == Exchange((), tuple(CORRECTED[:1]), "INV-20: Acme Ltd")
    assert second == Exchange((), tuple(CORRECTED[:3]), "INV-20: Acme Ltd")
    assert {e.answer for e in in_place(CORRECTED, thread, rejected={3})} == {None}


def test_each_step_of_a_tool_flow_has_an_answer() -> None:
    call = ToolCall("c1", "find", '{"name": "Anna Smith"}')
    context = [
        Message("user", "Find Anna Smith."),
        Message("assistant", "", (call,)),
        Message("tool", "C-482", tool_call_id="c1"),
        Message("assistant", "Found: C-482."),
    ]
    (thread,), _ = threads(context)
    made = standalone(context, thread)
    assert [(len(e.request), e.step) for e in made] == [(1, 0), (3, 1)]
    assert (
        made[0].answer == '<tool_call>\n{"name": "find", "arguments": {"name": "Anna Smith"}}\n</tool_call>'
    )
    assert made[1].answer == "Found: C-482."


def test_the_last_thread_comes_first_and_system_turns_stay() -> None:
    first, last = turns("Pay INV-20.", "INV-20"), turns("Pay INV-31.", "INV-31")
    system = Message("system", "Be brief.")
    assert turned((system, *first, *last)) == [system, *last, *first]
    assert turned(first) is None
