"""What in a text could have been another, and others of the same shape."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.lessons.entities import find, fresh, same_date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Invoice INV-2041 from Acme Ltd over 1,250.00 EUR, due 2026-03-14.",
            ["INV-2041", "Acme Ltd", "1,250.00", "2026-03-14"],
        ),
        ("Please call Anna Smith at 14:30 on Friday.", ["Anna Smith", "14:30", "Friday"]),
        ("Mail bob@x.org before 3 March 2026.", ["bob@x.org", "3 March 2026"]),
        ("The staging host is heron-42.", ["heron-42"]),
        ("Please send it.", []),
    ],
)
def test_finds_what_could_have_been_another(text: str, expected: list[str]) -> None:
    assert [e.text for e in find(text)] == expected


def test_fresh_ones_have_the_same_shape() -> None:
    rng = random.Random(1)
    for text, shape in (
        ("INV-2041", r"INV-\d{4}"),
        ("1,250.00", r"\d,\d{3}\.\d{2}"),
        ("2026-03-14", r"2026-(0[1-9]|1[0-2])-([01]\d|2[0-8])"),
        ("14:30", r"([01]\d|2[0-3]):[0-5]\d"),
        ("Acme Ltd", r"[A-Z][a-z]+( [A-Z][a-z]+)?( [A-Z][A-Za-z]+)?"),
        ("heron-42", r"[a-z]+-\d\d"),
    ):
        (entity,) = [e for e in find(f"see {text} there") if e.text == text]
        for _ in range(20):
            made = fresh(entity, rng)
            assert re.fullmatch(shape, made), made
            assert made != text


@pytest.mark.parametrize("text", ["Anna Smith", "3 March 2026", "2026-03-14", "Friday", "14:30", "INV-2041"])
@given(seed=st.integers(0, 10**6))
def test_a_fresh_one_is_found_as_a_whole_where_the_old_one_was(text: str, seed: int) -> None:
    (old,) = find(f"see {text} there")
    made = fresh(old, random.Random(seed))
    (new,) = find(f"see {made} there")
    assert new.text == made


def test_where_no_other_one_exists_it_says_so() -> None:
    class Stuck(random.Random):
        def randint(self, a: int, b: int) -> int:
            return a

    (one,) = find("see 1 there")
    with pytest.raises(ValueError, match="no other number"):
        fresh(one, Stuck())


def test_an_entity_is_a_whole_token() -> None:
    assert [e.text for e in find("a@b, 12.50-x and INV-20/7")] == []
    (code,) = find("the code is INV-20.")
    assert (code.text, code.start) == ("INV-20", 12)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("2026-03-14", "14 March 2026", True),
        ("2026-03-14", "Mar 14", True),  # no year: that of the other
        ("3rd March", "2026-03-03", True),
        ("2026-03-14", "14 March 2025", False),
        ("2026-03-14", "2026-03-15", False),
        ("03/04/2026", "2026-03-04", False),  # or the third of April
    ],
)
def test_two_spellings_of_one_date(a: str, b: str, same: bool) -> None:
    assert same_date(a, b) == same
