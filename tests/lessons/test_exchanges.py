"""Which turns are requests, and which answer would have been right for each."""

import pytest

from nightschool.lessons.exchanges import Exchange, in_place, requests, standalone
from nightschool.types import Message, ToolCall
from tests.helpers import turns

CORRECTED = turns("Pay INV-20 to Acme Ltd.", "Acme Ltd: INV-20", "No, the number first.", "INV-20: Acme Ltd")
SYSTEM = Message("system", "You keep the books.")


def test_every_user_turn_that_follows_nothing_up_is_a_request() -> None:
    context = turns(
        "Pay INV-20 to Acme Ltd.", "Acme Ltd: INV-20", "Pay INV-31 to Bell Ltd.", "Bell Ltd: INV-31"
    )
    found, drops = requests(context)
    assert [one.parts for one in found] == [((0, 2),), ((2, 4),)]
    assert drops == []


@pytest.mark.parametrize("mending", ["No, the number first.", "That's wrong: the number goes first."])
def test_a_correction_belongs_to_the_request_before_it(mending: str) -> None:
    context = turns(CORRECTED[0].content, CORRECTED[1].content, mending, CORRECTED[3].content)
    (request,), (drop,) = requests(context)
    assert request.parts == ((0, 2), (2, 4))
    assert (drop.what, drop.reason) == (mending, "follows up an earlier request")
    assert [e.answer for e in standalone(context, request)] == ["INV-20: Acme Ltd"]


def test_an_answer_about_the_earlier_request_alone_makes_a_turn_follow_it_up() -> None:
    context = turns(
        "Pay INV-20 to Acme Ltd.", "Acme Ltd: INV-20", "The number goes first.", "INV-20: Acme Ltd"
    )
    assert len(requests(context)[0]) == 1


def test_standing_alone_a_request_has_the_system_turn_before_it_and_nothing_else() -> None:
    context = [SYSTEM, *turns("Pay INV-20 to Acme Ltd.", "20", "Pay INV-31 to Bell Ltd.", "31")]
    _, second = requests(context)[0]
    assert standalone(context, second) == [Exchange((SYSTEM,), (context[3],), "31")]
    assert standalone(context, second, rejected={4}) == [Exchange((SYSTEM,), (context[3],), None)]


def test_a_request_without_an_answer_has_no_right_one() -> None:
    context = turns("Pay INV-20 to Acme Ltd.")
    (request,), _ = requests(context)
    assert standalone(context, request) == [Exchange((), tuple(context), None)]
    assert in_place(context, request) == []


def test_in_hindsight_a_corrected_answer_should_have_been_what_came_of_it() -> None:
    (request,), _ = requests(CORRECTED)
    first, second = in_place(CORRECTED, request)
    assert first == Exchange((), tuple(CORRECTED[:1]), "INV-20: Acme Ltd")
    assert second == Exchange((), tuple(CORRECTED[:3]), "INV-20: Acme Ltd")
    assert {e.answer for e in in_place(CORRECTED, request, rejected={3})} == {None}


def test_each_step_of_a_tool_flow_has_an_answer() -> None:
    call = ToolCall("c1", "find", '{"name": "Anna Smith"}')
    context = [
        Message("user", "Find Anna Smith."),
        Message("assistant", "", (call,)),
        Message("tool", "C-482", tool_call_id="c1"),
        Message("assistant", "Found: C-482."),
    ]
    (request,), _ = requests(context)
    made = standalone(context, request)
    assert [(len(e.request), e.step) for e in made] == [(1, 0), (3, 1)]
    assert (
        made[0].answer == '<tool_call>\n{"name": "find", "arguments": {"name": "Anna Smith"}}\n</tool_call>'
    )
    assert made[1].answer == "Found: C-482."
