"""Which exchanges are alike, and what may be why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.lessons.families import Case, overlap, undecided

DOWN = [
    Case("Ticket 6974: wifi is down.", "wifi = WEB"),
    Case("Ticket 6079: internet is down.", "internet = WEB"),
]
STUCK = Case("Ticket 5424: door is stuck.", "door = GATE")
CLINIC = Case("Ticket 9183: clinic is stuck.", "clinic = CLINIC")


def test_what_is_the_same_elsewhere_with_another_answer_decides_nothing() -> None:
    assert not undecided(DOWN, [STUCK])  # what is down may be WEB, what is stuck GATE
    assert undecided(DOWN, [STUCK, CLINIC])  # stuck is GATE or CLINIC: something else decides
    assert not undecided(DOWN, [])


def test_requests_of_another_form_say_nothing_of_these() -> None:
    other = [Case("Who leads Ghent?", "Mira"), Case("Who now leads Lyon?", "Hana")]
    assert not undecided(DOWN, other)


def test_answers_without_anything_in_common_leave_nothing_to_decide() -> None:
    moved = [Case("Move A to B.", "a b"), Case("Move C to D.", "c d")]
    assert not undecided(moved, [Case("Move E to F and G.", "f")])


@pytest.mark.parametrize(
    ("left", "right", "share"),
    [("", "", 1.0), ("a b", "", 0.0), ("Pay 12 now", "Pay 7 later", 4 / 6), ("a b", "b a", 1.0)],
)
def test_numbers_count_by_their_kind(left: str, right: str, share: float) -> None:
    assert overlap(left, right) == pytest.approx(share)


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_share_is_the_same_from_both_sides(left: str, right: str) -> None:
    assert overlap(left, right) == overlap(right, left)
    assert 0 <= overlap(left, right) <= 1
    assert overlap(left, left) == 1
