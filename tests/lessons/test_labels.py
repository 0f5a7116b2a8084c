"""Which requests get labels, by the session as a whole."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.lessons.build import understand
from nightschool.lessons.evidence import Said
from nightschool.lessons.labels import labelled, renumbered
from tests.helpers import turns

TICKETS = {
    "Ticket 8392: Das Schloss ist kaputt.": "Q-TÜR",
    "Ticket 4430: Das Netz fällt aus.": "Q-NETZ",
    "Ticket 4885: Die Steuer stimmt nicht.": "Q-GELD",
    "Ticket 2825: Die Klinke ist locker.": "Q-TÜR",
}


def groups(said: dict[str, str]) -> list[frozenset[int]]:
    return labelled([Said(*both) for both in said.items()])


@pytest.mark.parametrize(
    "said",
    [
        TICKETS,
        {
            "案件8392：ドアが開かない": "ドア係",
            "案件4430：給料が少ない": "経理係",
            "案件2825：鍵がない": "ドア係",
        },
        {
            "Заявка №17. Нет света.": "А-1",
            "Заявка №94. Течёт кран.": "А-2",
            "Заявка №52. Искрит щиток.": "А-1",
        },
    ],
    ids=["de", "ja", "ru"],
)
def test_headed_requests_with_an_answer_that_comes_again_get_labels(said: dict[str, str]) -> None:
    assert groups(said) == [frozenset(range(len(said)))]


@pytest.mark.parametrize("retry", ["Falsch, schau noch mal.", "Nein: Q-GELD", "Noch mal, bitte: die Klinke"])
def test_a_turn_without_the_heading_is_none_of_them(retry: str) -> None:
    assert groups({**TICKETS, retry: "Q-GELD"}) == [frozenset(range(4))]


@pytest.mark.parametrize(
    "said",
    [
        # The same ticket again, or one that another turn speaks of: its first answer may be wrong.
        {**TICKETS, "Ticket 8392: Bitte noch einmal.": "Q-NETZ"},
        {**TICKETS, "Die 4430 war eine Tür.": "Q-TÜR"},
        # What is counted may go on: a follow-up that begins like a request.
        {"Pregunta 1: ¿Hay red?": "Sí", "Pregunta 2: ¿Y en el sótano?": "No", "Pregunta 3: ¿Y fuera?": "Sí"},
        {"Für 2024: stieg der Umsatz?": "Ja", "Für 2021: und da?": "Nein", "Für 2018: und da?": "Nein"},
        {"Add 12 pears.": "Done", "Add 9 apples.": "Sold out", "Add 4 more.": "Done"},  # a number of things
        {"Item 70: pears": "A-70", "Item 30: apples": "B-30", "Item 50: plums": "A-70"},  # part of the answer
        {"Ticket 8392: La porte.": "A", "Ticket 4430: Le réseau.": "B"},  # no label comes again
        {"Note 71: call Ana": "Ok", "Note 35: buy milk": "Ok", "Note 58: pay rent": "Ok"},  # it says nothing
    ],
)
def test_what_may_hang_on_another_turn_is_no_group(said: dict[str, str]) -> None:
    assert groups(said) == []


@given(st.lists(st.tuples(st.text(max_size=12), st.sampled_from(["A", "B", ""])), max_size=6))
def test_no_other_turn_ever_comes_into_the_group(others: list[tuple[str, str]]) -> None:
    said = [Said(*both) for both in [*TICKETS.items(), *others]]
    headed = {n for n, one in enumerate(said) if one.request.startswith("Ticket ")}
    assert all(group <= headed or not group & {0, 1, 2, 3} for group in labelled(said))


def test_of_labelled_requests_only_the_one_that_was_retried_has_no_known_answer() -> None:
    first, *others = TICKETS.items()
    context = turns(*first, "Falsch, schau noch mal.", "Q-NETZ", *(text for both in others for text in both))
    seen = understand(context)
    assert {e.request[0].content: e.answer for e in seen.known} == dict(others)
    assert [drop.what for drop in seen.drops] == ["Falsch, schau noch mal.", first[0]]


@given(st.sampled_from(["8392", "0830", "٨٣٩٢"]), st.integers())
def test_another_number_is_written_alike_and_is_no_other_for_the_same_seed(number: str, seed: int) -> None:
    made = renumbered(f"案件{number}：鍵がない2", seed)
    other = made.removeprefix("案件").removesuffix("：鍵がない2")
    assert len(other) == len(number)
    assert (other[0] in "0٠") == (number[0] == "0")
    assert all(
        unicodedata.name(digit).split()[0] == unicodedata.name(number[0]).split()[0] for digit in other
    )
    assert made == renumbered(f"案件{number}：鍵がない2", seed)
