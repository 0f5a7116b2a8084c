"""Twins: what is replaced, what the right answer becomes, and when it is not known."""

import random

from hypothesis import given
from hypothesis import strategies as st

from nightschool.lessons.variations import pattern, substitute, vary

MAIL = "Invoice INV-2041 from Acme Ltd over 1,250.00 EUR, due 2026-03-14."
LINE = "PAY | Acme Ltd | INV-2041 | 1250.00 EUR | 2026-03-14"


def test_a_twin_has_its_entities_in_the_answer_too() -> None:
    made = vary(pattern(MAIL, LINE), random.Random(0), twin=True)
    assert made is not None
    assert made.expected is not None
    assert set(made.replaced) == {"INV-2041", "Acme Ltd", "1,250.00", "2026-03-14"}
    new = made.replaced
    due = new["2026-03-14"]
    over = f"{new['1,250.00']} EUR"
    assert made.text == f"Invoice {new['INV-2041']} from {new['Acme Ltd']} over {over}, due {due}."
    amount = new["1,250.00"].replace(",", "")  # the house writes it without the comma
    assert (
        made.expected == f"PAY | {new['Acme Ltd']} | {new['INV-2041']} | {amount} EUR | {new['2026-03-14']}"
    )


def test_a_day_that_is_written_otherwise_in_the_answer_is_no_twin() -> None:
    what = pattern("Book Anna Smith on Friday.", "Anna Smith / FRI")
    # FRI comes from Friday by a rule that is not ours to guess: Friday stays, or the answer is not known.
    for seed in range(20):
        twin = vary(what, random.Random(seed), twin=True)
        if twin is not None:
            assert "Friday" not in twin.replaced
        made = vary(what, random.Random(seed), twin=False)
        assert made is not None
        assert made.expected is None or "Friday" not in made.replaced


def test_a_total_that_was_computed_is_never_a_right_answer() -> None:
    what = pattern("Add 120 and 45 for Anna Smith.", "Anna Smith: 165")
    assert not what.has_twins
    assert all((v := vary(what, random.Random(s), twin=False)) and v.expected is None for s in range(5))


def test_a_fact_is_never_varied_into_a_falsehood() -> None:
    # Nothing of the request stands in the answer, so no twin exists and no variation claims to know.
    what = pattern("What is the code of door 12?", "The door code is 7731.")
    assert not what.has_twins
    made = vary(what, random.Random(0), twin=False)
    assert made is None or made.expected is None


def test_substitution_never_chains_and_never_cuts_a_token() -> None:
    assert substitute("a1 b2 a1b2", {"a1": "b2", "b2": "a1"}) == "b2 a1 a1b2"
    assert substitute("INV-20 INV-2041 12 12.50", {"INV-20": "X", "12": "9"}) == "X INV-2041 9 12.50"


@given(st.integers(0, 10**6), st.integers(1000, 9999), st.floats(1, 99999).map(lambda x: f"{x:.2f}"))
def test_twins_are_consistent_whatever_the_invoice(seed: int, number: int, amount: str) -> None:
    mail = f"Invoice INV-{number} from Acme Ltd over {amount} EUR, due 2026-03-14."
    line = f"PAY | Acme Ltd | INV-{number} | {amount} EUR | 2026-03-14"
    made = vary(pattern(mail, line), random.Random(seed), twin=True)
    assert made is not None
    assert made.expected == substitute(line, made.replaced)
    for old, new in made.replaced.items():
        assert new in made.text
        assert made.expected
        assert new in made.expected
        assert old != new
