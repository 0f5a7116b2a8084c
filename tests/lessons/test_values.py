"""Drawn values: of the same kind, script and shape; never the same; by one seed the same in any process."""

import datetime
import json
import os
import re
import subprocess
import sys
import unicodedata
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.lessons import scripts, words
from nightschool.lessons.values import draw, kind

SEEDS = st.integers(0, 2**32)
DATES = st.dates(datetime.date(1950, 1, 1), datetime.date(2099, 12, 31))
# One name, one town or one ordinary word of many scripts.
WORDS = (
    "Ines Rechnung milk MILK Łódź Москва Αθήνα مرحبا שלום राम สมชาย 김민수 田中太郎 中 カメラ 食べる "
    "ნინო Երևան চাঁদ தமிழ் ລາວ ខ្មែរ မြန်မာ አማርኛ"
).split()


def drawn(value: str, *pool: str, times: int = 200) -> list[str]:
    made = [draw(value, Random(seed), pool) for seed in range(times)]
    return [one for one in made if one is not None]


def scripts_of(text: str) -> set[str]:
    return {scripts.script(char) for char in text} - {""}


def shape(text: str) -> str:
    """Every digit a 0, every letter an a or A."""
    return re.sub(r"[^\W\d_]", lambda m: "A" if m[0].isupper() else "a", re.sub(r"\d", "0", text))


@given(st.text(), SEEDS, st.lists(st.text(), max_size=3))
def test_any_text_has_another_or_none(value: str, seed: int, pool: list[str]) -> None:
    made = draw(value, Random(seed), pool)
    assert made is None or (made != value and scripts_of(made) == scripts_of(value))


@given(st.text("aAżЖ中あア한ก१5٣.,:/-' @\u0301", max_size=12), SEEDS)
def test_mixed_scripts_stay_mixed(value: str, seed: int) -> None:
    made = draw(value, Random(seed))
    assert made is None or (made != value and scripts_of(made) == scripts_of(value))


@given(st.integers(1, 10**9), st.lists(st.integers(1, 10**6), max_size=4), SEEDS)
def test_integers_are_integers_without_leading_zeros(value: int, pool: list[int], seed: int) -> None:
    made = draw(str(value), Random(seed), [str(one) for one in pool])
    assert made is not None
    assert isinstance(json.loads(made), int)
    assert int(made) not in (0, value)


@given(st.integers(1, 999), st.integers(4, 6), SEEDS)
def test_padded_numbers_stay_padded(value: int, width: int, seed: int) -> None:
    made = draw(str(value).zfill(width), Random(seed))
    assert made is not None
    assert len(made) == width
    assert int(made) > 0


def test_another_value_tells_that_numbers_are_padded() -> None:
    assert all(len(one) == 2 for one in drawn("12", "07"))


@given(
    st.sampled_from([".,", ",.", " ,", "'.", "\u202f,"]), st.integers(1000, 10**7), st.integers(0, 4), SEEDS
)
def test_separators_and_decimals_stay(marks: str, value: int, places: int, seed: int) -> None:
    by, point = marks[0], marks[1]
    text = f"{value:,}".replace(",", by) + (point + "5" * places if places else "")
    made = draw(text, Random(seed))
    assert made is not None
    assert re.fullmatch(rf"[1-9]\d{{0,2}}(?:{re.escape(by)}\d{{3}})+", made.partition(point)[0])
    assert len(made.partition(point)[2]) == places


@given(st.decimals(0, 999, places=2), st.sampled_from(".,"), SEEDS)
def test_decimals_keep_their_places(value: object, point: str, seed: int) -> None:
    made = draw(str(value).replace(".", point), Random(seed))
    assert made is not None
    assert re.fullmatch(rf"(?:0|[1-9]\d*)[{point}]\d\d", made)


def test_indian_groups_stay() -> None:
    assert all(
        re.fullmatch(r"(?:\d{1,2},)?(?:\d\d,)*\d{1,2},\d{3}|\d\d,\d{3}", one) for one in drawn("1,23,456")
    )


@pytest.mark.parametrize("layout", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%y", "%Y%m%d", "%Y/%m/%d"])
@given(date=DATES, others=st.lists(DATES, max_size=3), seed=SEEDS)
def test_dates_are_valid_in_their_layout(
    layout: str, date: datetime.date, others: list[datetime.date], seed: int
) -> None:
    text = date.strftime(layout)
    made = draw(text, Random(seed), [other.strftime(layout) for other in others])
    assert made is not None
    assert shape(made) == shape(text)
    assert datetime.datetime.strptime(made, layout).strftime(layout) == made


def test_a_date_that_could_be_read_either_way_still_can() -> None:
    assert all(int(part) <= 12 for one in drawn("03/04/2024") for part in one.split("/")[:2])
    assert any(int(one.split("/")[0]) > 12 for one in drawn("03/04/2024", "23/04/2024"))


def test_days_and_months_are_not_padded_where_one_is_not() -> None:
    assert not any(re.search(r"\b0", one) for one in drawn("12.11.2025", "3.4.2025"))


@given(st.times(), st.booleans(), SEEDS)
def test_times_are_valid(time: datetime.time, seconds: bool, seed: int) -> None:
    text = time.strftime("%H:%M:%S" if seconds else "%H:%M")
    made = draw(text, Random(seed))
    assert made is not None
    assert datetime.time.fromisoformat(made)
    assert shape(made) == shape(text)


def test_times_keep_to_five_minutes_and_twelve_hours_if_those_seen_do() -> None:
    made = [tuple(map(int, one.split(":"))) for one in drawn("9:30", "11:45", "4:00")]
    assert all(1 <= hour <= 12 and minute % 5 == 0 for hour, minute in made)
    assert any(int(one.split(":")[1]) % 5 for one in drawn("9:31", "11:45"))


def test_a_time_with_a_full_stop_needs_three() -> None:
    assert all(int(one.split(".")[1]) < 60 for one in drawn("14.05", "9.30", "16.00"))
    assert any(int(one.split(".")[1]) >= 60 for one in drawn("14.05", "9.37"))


@pytest.mark.parametrize(
    ("value", "others"),
    [
        ("Monday", "Tuesday Wednesday Thursday Friday Saturday Sunday"),
        ("MON", "TUE WED THU FRI SAT SUN"),
        ("mardi", "lundi mercredi jeudi vendredi samedi dimanche"),
        ("segunda-feira", "terça-feira quarta-feira quinta-feira sexta-feira sábado domingo"),
        ("月曜日", "火曜日 水曜日 木曜日 金曜日 土曜日 日曜日"),
        ("марта", "января февраля апреля мая июня июля августа сентября октября ноября декабря"),
        ("5月", "1月 2月 3月 4月 6月 7月 8月 9月 10月 11月 12月"),
        ("PM", "AM"),
    ],
)
def test_weekdays_and_months_are_others_of_their_list(value: str, others: str) -> None:
    assert set(drawn(value)) == set(others.split())


def test_a_month_that_is_a_name_there_is_a_name() -> None:
    assert len(set(drawn("May", "Anna", "Tom"))) >= 100
    assert len(set(drawn("May", "March"))) == 11


def test_dates_spelt_out_are_real_and_on_their_weekday() -> None:
    for one in drawn("Monday, 3 March 2025"):
        assert datetime.datetime.strptime(one, "%A, %d %B %Y").strftime("%A") == one.split(",")[0]
    assert all(re.fullmatch(r"\d{4}年\d{1,2}月\d{1,2}日", one) for one in drawn("2024年5月31日"))
    assert {one.split()[0] for one in drawn("3rd March")} == {"3rd", "23rd"}


@pytest.mark.parametrize("value", WORDS)
def test_words_keep_their_script_and_case(value: str) -> None:
    made = drawn(value, times=60)
    assert len(made) == 60
    for one in made:
        assert scripts.signature(one) == scripts.signature(value)
        assert (one.isupper(), one.islower()) == (value.isupper(), value.islower())
        assert one.isascii() or not value.isascii()
        assert unicodedata.is_normalized("NFC", one) or not unicodedata.is_normalized("NFC", value)


@pytest.mark.parametrize(
    ("value", "pool", "least"),
    [
        ("Ines Corvo", ("Tom Baker", "Anna Holm"), 100),
        ("Ines", ("Tom", "Anna"), 100),
        ("Анна", ("Иван",), 100),
        ("王小明", (), 100),
        ("milk", ("bread", "cheese"), 100),
        ("milk", (), 100),
        ("12", ("45", "30"), 30),
        ("12", ("13",), 30),
        ("order_total", (), 100),
        ("A27", ("B14", "C90"), 100),
    ],
)
def test_there_are_many(value: str, pool: tuple[str, ...], least: int) -> None:
    assert len(set(drawn(value, *pool))) >= least


def test_names_are_mostly_names() -> None:
    first = [one.split(" ")[0] for one in drawn("Anna Smith", "Thomas Miller", "Laura Brown")]
    assert sum(words.known(name) for name in first) >= 120


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("orderTotal", "[a-z]+[A-Z][a-z]+"),
        ("order_total_net", "[a-z]+_[a-z]+_[a-z]+"),
        ("blue-green", "[a-z]+-[a-z]+"),
        ("ana.lee@mail.example", r"[a-z]+\.[a-z]+@[a-z]+\.example"),
        ("XK-7731-b", r"[A-Z]{2}-\d{4}-[a-z]"),
        ("45KG", r"\d\d[A-Z]{2}"),
        ("file2024", r"[a-z]+\d{4}"),
    ],
)
def test_forms_stay(value: str, form: str) -> None:
    assert all(re.fullmatch(form, one) for one in drawn(value))


def test_what_all_values_share_stays() -> None:
    assert all(re.fullmatch(r"INV-2024-\d{3}", one) for one in drawn("INV-2024-001", "INV-2024-017"))
    assert all(one.endswith("@acme.com") for one in drawn("ana.lee@acme.com", "tom.bay@acme.com"))


def test_a_checksum_keeps_to_its_letters() -> None:
    made = drawn("a3f9c2e1b4d7", "b2e4d1a9c3f0")
    assert all(re.fullmatch("(?:[a-f][0-9]){6}", one) for one in made)


def test_forms_of_companies_are_exchanged_for_others() -> None:
    made = drawn("Acme Ltd", "Borg Inc", "Kranz Group")
    assert len({one.split(" ")[-1] for one in made}) >= 5
    assert all(words.known(one.split(" ")[-1]) for one in made)


def test_a_phrase_takes_as_many_words_as_those_seen_have() -> None:
    assert {one.count(" ") for one in drawn("Ines Corvo", "Anna Maria Holm")} == {1, 2}


@pytest.mark.parametrize("value", ["", " ", "!", "→", "😀"])
def test_what_has_no_other_has_none(value: str) -> None:
    assert draw(value, Random(0)) is None


def test_a_mark_may_become_another_that_was_seen() -> None:
    assert set(drawn("😀", "🎉", "word")) == {"🎉"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-05-01", "date"),
        ("2024-13-41", "code"),
        ("9:30", "time"),
        ("3.491,97 €", "number"),
        ("1 200", "number"),
        ("milk", "word"),
        ("order_total", "word"),
        ("A27", "code"),
        ("Ines Corvo", "phrase"),
        ("a@b.example", "email"),
        ("…", "mark"),
    ],
)
def test_kinds(value: str, expected: str) -> None:
    assert kind(value) == expected


def test_the_same_seed_gives_the_same_in_every_process() -> None:
    values = [*WORDS, "12", "9:30", "3 May 2025", "a@b.example"]
    code = (
        "from random import Random; from nightschool.lessons.values import draw\n"
        f"print(ascii([draw(value, Random(5), ['Anna', '12', '田中']) for value in {values!a}]))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1


def test_nothing_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, nightschool.lessons.values\n"
        "assert not {'faker', 'babel', 'torch'} & {name.split('.')[0] for name in sys.modules}\n"
        "from random import Random; nightschool.lessons.values.draw('Анна', Random(0))\n"
        "assert 'faker.providers.person.ru_RU' in sys.modules\n"
        "assert 'faker.providers.person.pl_PL' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
