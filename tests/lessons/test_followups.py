"""Turns that follow up a request, and those that may correct its answer. In several languages."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.lessons.build import build_lesson, understand
from nightschool.lessons.readings import readings
from nightschool.types import Lesson, Message, PracticeRequest, Session
from tests.helpers import turns

# A request and its answer, a follow-up and its answer.
MORE = (
    *("Table 42 wants 11 soups.", "T42: 11 soups", "Another 5 bowls.", "T42: 16 soups"),
    *("Table 7 wants 3 soups.", "T7: 3 soups", "Another 2 bowls.", "T7: 5 soups"),
    *("Table 18 wants 30 soups.", "T18: 30 soups", "Another 9 bowls.", "T18: 39 soups"),
)
DAYS = (
    *("Fähre von Gera nach Ulm am Montag.", "MO Gera>Ulm", "Und am Dienstag?", "DI Gera>Ulm"),
    *("Fähre von Celle nach Trier am Mittwoch.", "MI Celle>Trier", "Und am Freitag?", "FR Celle>Trier"),
    *("Fähre von Aalen nach Worms am Samstag.", "SA Aalen>Worms", "Und am Sonntag?", "SO Aalen>Worms"),
)
SEATS = (
    *("田中様の席を3名で予約。", "田中:3名", "あと2名追加。", "田中:5名"),
    *("佐藤様の席を6名で予約。", "佐藤:6名", "あと8名追加。", "佐藤:14名"),
    *("鈴木様の席を11名で予約。", "鈴木:11名", "あと4名追加。", "鈴木:15名"),
)
# The same follow-up every time: the user may have wanted the later answer from the beginning.
GRAMS = (
    *("El paquete 74 pesa 30 kg.", "P74 = 30 kg", "¿Y en gramos?", "P74 = 30000 g"),
    *("El paquete 13 pesa 28 kg.", "P13 = 28 kg", "¿Y en gramos?", "P13 = 28000 g"),
    *("El paquete 23 pesa 3 kg.", "P23 = 3 kg", "¿Y en gramos?", "P23 = 3000 g"),
)
NAMES = (
    *("Bezahle 20 an Acme von Konto 31.", "20/31", "Bitte mit Namen.", "ACME"),
    *("Bezahle 44 an Bell von Konto 7.", "44/7", "Bitte mit Namen.", "BELL"),
    *("Bezahle 51 an Corvo von Konto 90.", "51/90", "Bitte mit Namen.", "CORVO"),
)
# The user says what would have been right.
PRICES = (
    *("What do 12 crates of pears cost?", "PEARS: 12", "No, 42.", "PEARS: 42.00"),
    *("What do 7 crates of plums cost?", "PLUMS: 7", "No, 15.", "PLUMS: 15.00"),
    *("What do 9 crates of figs cost?", "FIGS: 9", "No, 81.", "FIGS: 81.00"),
)
# What the first answers leave out may be what the later ones are made of.
ROOMS = tuple(text.replace("wants", f"in room {n} wants") for n, text in enumerate(MORE))


def opened(talk: Sequence[str]) -> dict[str, str]:
    """Known answers of the requests that opened something."""
    known = understand(turns(*talk)).known
    return {e.request[0].content: e.answer or "" for e in known if len(e.request) == 1}


def lesson(talk: Sequence[str], seed: int = 0) -> Lesson:
    return build_lesson(Session("s", tuple(turns(*talk))), seed=seed, variations=24, held_back=8)


def twins(made: Lesson) -> list[PracticeRequest]:
    return [p for p in (*made.practice, *made.held_back) if p.kind == "varied"]


@pytest.mark.parametrize("talk", [MORE, DAYS, SEATS, DAYS[:8]], ids=lambda talk: talk[2])
def test_a_follow_up_leaves_the_answer_before_right(talk: tuple[str, ...]) -> None:
    assert opened(talk) == dict(zip(talk[::4], talk[1::4], strict=True))
    made = understand(turns(*talk))
    assert [[part.earlier for part in thread.parts] for thread in made.threads] == [
        ["stands", "stands"] for _ in talk[::4]
    ]
    assert not made.drops


@pytest.mark.parametrize("talk", [GRAMS, NAMES, PRICES, ROOMS], ids=lambda talk: talk[2])
def test_what_may_be_corrections_leaves_the_answer_before_unknown(talk: tuple[str, ...]) -> None:
    assert not {*opened(talk).items()} & {*zip(talk[::4], talk[1::4], strict=True)}


def test_one_correction_among_follow_ups_leaves_all_of_them_open() -> None:
    corrected = ("Fähre von Jena nach Bonn am Montag.", "MO Jena>Bonn", "Nicht Bonn, Hof.", "MO Jena>Hof")
    assert opened(DAYS)
    assert not opened((*DAYS, *corrected))


def test_a_follow_up_is_practised_behind_its_request() -> None:
    for talk in (MORE, DAYS, SEATS, GRAMS):
        recorded = [p for p in lesson(talk).practice if p.kind == "recorded" and len(p.messages) == 3]
        assert [p.turns for p in recorded] == [3, 3, 3]
        said = [(*(m.content for m in p.messages), p.expected) for p in recorded]
        assert said == [talk[i : i + 4] for i in (0, 4, 8)]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 999))
def test_in_a_twin_the_answer_between_is_that_of_its_own_request(seed: int) -> None:
    found = twins(lesson(MORE, seed))
    assert {len(p.messages) for p in found} == {1, 3}
    for one in found:
        asked, *rest = [m.content for m in one.messages]
        table, count = (int(n) for n in re.findall(r"\d+", asked))
        first = f"T{table}: {count} soups"
        if not rest:
            assert one.expected == first
            continue
        between, more = rest
        assert between == first
        assert one.expected == f"T{table}: {count + int(re.findall(r'[0-9]+', more)[0])} soups"


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 999))
def test_where_nobody_knows_what_was_right_at_first_only_the_later_answers_have_twins(seed: int) -> None:
    found = twins(lesson(GRAMS, seed))
    assert len({p.expected for p in found}) > 20
    for one in found:
        asked, between, _ = [m.content for m in one.messages]
        number, weight = re.findall(r"\d+", asked)
        assert between == f"P{number} = {weight} kg"
        assert one.expected == f"P{number} = {weight}000 g"


def test_a_value_that_only_the_first_answer_shows_is_one_of_the_session() -> None:
    days = {talk[1][:2] for talk in (DAYS[i : i + 4] for i in (0, 4, 8))}
    for one in twins(lesson(DAYS)):
        if len(one.messages) == 3:
            asked, between, more = [m.content for m in one.messages]
            a, b, day = re.fullmatch(r"Fähre von (.+) nach (.+) am (\w+)\.", asked).groups()  # type: ignore[union-attr]
            assert between == f"{day[:2].upper()} {a}>{b}"
            assert between[:2] in days
            assert one.expected == f"{more[7:9].upper()} {a}>{b}"


def test_a_follow_up_may_be_followed_up() -> None:
    talk = (
        *("Table 42 wants 11 soups.", "T42: 11 soups", "And breads, 25.", "T42: 25 breads"),
        *("And 4 beers there.", "T42: 4 beers"),
        *("Table 7 wants 31 soups.", "T7: 31 soups", "And breads, 12.", "T7: 12 breads"),
        *("And 16 beers there.", "T7: 16 beers"),
    )
    known = understand(turns(*talk)).known
    assert [e.answer for e in known if len(e.request) == 5] == ["T42: 4 beers", "T7: 16 beers"]
    found = [p for p in twins(lesson(talk)) if len(p.messages) == 5]
    assert found
    for one in found:
        soups, first, breads, second, beers = [m.content for m in one.messages]
        table, count = re.findall(r"\d+", soups)
        assert first == f"T{table}: {count} soups"
        assert second == f"T{table}: {re.findall('[0-9]+', breads)[0]} breads"
        assert one.expected == f"T{table}: {re.findall('[0-9]+', beers)[0]} beers"


def test_answers_that_nobody_wanted_are_no_evidence() -> None:
    context = turns(*MORE[:8])
    made = understand(context, rejected={1})
    assert all(len(e.request) == 1 for e in made.known)
    assert MORE[1] not in {e.answer for e in made.known}


def test_people_see_what_a_follow_up_is_and_how_it_is_answered() -> None:
    context: list[Message] = turns(*MORE)
    made = understand(context)
    first, second, *_ = readings(context, made)
    assert (first.answer, first.role, first.pattern) == (MORE[1], "stands alone", 0)
    assert (second.answer, second.pattern) == (MORE[3], 1)
    assert second.role.startswith("follows up the turn before: ")
    shown = lesson(MORE).understood[1]
    assert shown.requests[0] == " / ".join(MORE[:3])
    assert shown.twins[0][0].count(" / ") == 2
