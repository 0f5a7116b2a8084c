"""Transformations, each by one example of what it makes."""

import pytest

from nightschool.lessons.proposals import Examples, Transformation
from nightschool.lessons.transformations import FAMILIES, PAIR_FAMILIES


def proposed(values: tuple[str, ...], answers: tuple[str, ...]) -> list[Transformation]:
    return [t for family in FAMILIES for t in family(Examples(values, answers))]


def explains(values: tuple[str, ...], answers: tuple[str, ...]) -> bool:
    return any(
        all(t.apply([value]) == answer for value, answer in zip(values, answers, strict=True))
        for t in proposed(values, answers)
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("Anna Smith", "Peter Jones"), ("Anna Smith", "Peter Jones")),
        (("straße", "łódź"), ("STRASSE", "ŁÓDŹ")),
        (("Tuesday", "Friday"), ("TUE", "FRI")),
        (("Anna Smith", "Jean Luc Picard"), ("A.S.", "J.L.P.")),
        (("Anna Smith", "Jean Luc Picard"), ("Smith, Anna", "Picard, Jean Luc")),
        (("Ольга Котова", "Иван Петров"), ("КОТОВА", "ПЕТРОВ")),
        (("A27", "C40"), ("27", "40")),
        (("DE89 3704", "FR12 9931"), ("DE893704", "FR129931")),
        (("DE893704", "FR129931"), ("DE89 3704", "FR12 9931")),
        (("sala verde", "torre alta nueva"), ("salaVerde", "torreAltaNueva")),
        (("salaVerde", "torreAlta"), ("sala_verde", "torre_alta")),
        (("José Peña", "Åsa Öberg"), ("jose.pena", "asa.oberg")),
        (("7", "41"), ("007", "041")),
        (("0042", "0107"), ("42", "107")),
        (("1.234,50", "12,75"), ("1234.50", "12.75")),
        (("1234.5", "99.25"), ("1,234.50", "99.25")),
        (("12.46", "7.61"), ("12", "8")),
        (("12", "40"), ("15", "43")),
        (("120", "80"), ("142.8", "95.2")),
        (("12", "40"), ("144", "480")),
        (("99.90", "20.10"), ("18.98", "3.82")),
        (("2025-03-12", "2024-11-30"), ("12.03.2025", "30.11.2024")),
        (("2025-03-12", "2024-11-30"), ("Wednesday", "Saturday")),
        (("12. Mai 2025", "3. März 2025"), ("2025-05-12", "2025-03-03")),
        (("2025-03-28", "2024-02-28"), ("2025-04-04", "2024-03-06")),
        (("2024年5月1日", "2025年12月24日"), ("2024-05-01", "2025-12-24")),
        (("mardi", "vendredi"), ("2", "5")),
        (("Mai", "Dezember"), ("05", "12")),
        (("月曜日", "金曜日"), ("Monday", "Friday")),
        (("3", "12"), ("March", "December")),
        (("14:30", "9:05"), ("2:30 pm", "9:05 am")),
        (("2:30 pm", "9:05 am"), ("14:30", "09:05")),
        (("14:30", "23:45"), ("15:15", "00:30")),
    ],
)
def test_is_found_by_two_examples(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    assert explains(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("Anna", "Peter"), ("Rome", "Oslo")),
        (("12", "40"), ("15", "44")),
        (("99.99.2024", "2025-01-02"), ("Monday", "Thursday")),
        (("cafe\u0301", "olé"), ("cafe", "olé")),  # no character is cut apart
    ],
)
def test_nothing_is_proposed_that_does_not_hold(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    assert not any(
        all(t.apply([value]) == answer for value, answer in zip(before, after, strict=True))
        and t.cost < 3  # rewriting accents away is dear
        for t in proposed(before, after)
    )


@pytest.mark.parametrize(
    ("left", "right", "answers"),
    [
        (("3", "12"), ("5", "20"), ("8", "32")),
        (("3", "12"), ("1,50", "2,25"), ("4,50", "27,00")),
        (("3", "12"), ("5", "20"), ("-2", "-8")),
    ],
)
def test_two_numbers_make_one(
    left: tuple[str, ...], right: tuple[str, ...], answers: tuple[str, ...]
) -> None:
    made = [t for family in PAIR_FAMILIES for t in family(Examples(left, answers), Examples(right, answers))]
    assert any([t.apply(pair) for pair in zip(left, right, strict=True)] == list(answers) for t in made)


def test_what_is_no_value_gives_none() -> None:
    for transformation in proposed(("2025-03-12", "2024-11-30"), ("12.03.2025", "30.11.2024")):
        if "as day, month, year" in transformation.words:
            assert transformation.apply(["2025-02-30"]) is None
            assert transformation.apply(["tomorrow"]) is None
