"""What exchanges show by example, and the twins that follow from it."""

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.lessons.calendars import lists_with
from nightschool.lessons.patterns import Case, Pattern, Twin, patterns

_SYLLABLES = "ba ko lim ter sa no ul ras in ov den mi".split()


def draw(value: str, rng: random.Random, pool: Sequence[str]) -> str | None:
    """A stand-in for the drawer of values: names of the calendar, syllables for words, digits for digits."""
    names = lists_with(value)
    if names:
        return rng.choice(names[0].names)

    def letters(found: re.Match[str]) -> str:
        old = found[0]
        new = "".join(rng.choices(_SYLLABLES, k=rng.randint(1, 3))) if len(old) > 1 else rng.choice("bdfghk")
        new = new if old.isascii() else rng.choice([w for v in pool for w in v.split()] or [old])
        return new.upper() if old.isupper() else new.title() if old.istitle() else new

    def digits(found: re.Match[str]) -> str:
        return "".join(str(rng.randint(1 if k == 0 else 0, 9)) for k, _ in enumerate(found[0]))

    return re.sub(r"\d+", digits, re.sub(r"[^\W\d_]+", letters, value))


def cases(*exchanges: tuple[str, str]) -> list[Case]:
    return [Case(*exchange) for exchange in exchanges]


def twins(pattern: Pattern, count: int = 120, seed: int = 1) -> list[Twin]:
    rng = random.Random(seed)
    made = [pattern.twin(rng, draw) for _ in range(count)]
    return [twin for twin in made if twin]


def parsed(pattern: str, text: str) -> re.Match[str]:
    """What a pattern finds in a text, which must have it."""
    found = re.search(pattern, text)
    assert found
    return found


def call(count: int, what: str) -> str:
    arguments = json.dumps({"n": count, "what": what})
    return f'<tool_call>\n{{"name": "buy", "arguments": {arguments}}}\n</tool_call>'


FORMS: dict[str, tuple[list[Case], Callable[[str], str]]] = {
    "a German table line": (
        cases(
            ("Rechnung 4471 von Weber über 12,50 €", "4471;WEBER;12.50"),
            ("Rechnung 2958 von Koch über 1.230,00 €", "2958;KOCH;1230.00"),
            ("Rechnung 7733 von Lang über 99,95 €", "7733;LANG;99.95"),
        ),
        lambda r: (lambda m: f"{m[1]};{m[2].upper()};{m[3].replace('.', '').replace(',', '.')}")(
            parsed(r"^Rechnung (\d+) von (\S+) über (\S+) €$", r)
        ),
    ),
    "glued codes": (
        cases(("send x30 A27", "A: 27 (30)"), ("send x12 C41", "C: 41 (12)"), ("send x75 B63", "B: 63 (75)")),
        lambda r: (lambda m: f"{m[2]}: {m[3]} ({m[1]})")(parsed(r"^send x(\d+) (\D)(\d+)$", r)),
    ),
    "Russian initials": (
        cases(
            ("комната 12 для Анна Котова", "АК-12"),
            ("комната 40 для Иван Петров", "ИП-40"),
            ("комната 77 для Олег Смирнов", "ОС-77"),
        ),
        lambda r: (lambda m: f"{m[2][0]}{m[3][0]}-{m[1]}")(parsed(r"^комната (\d+) для (\S+) (\S+)$", r)),
    ),
    "Arabic, in another order": (
        cases(("احجز غرفة 12 في 30", "30 / 12"), ("احجز غرفة 45 في 71", "71 / 45")),
        lambda r: (lambda m: f"{m[2]} / {m[1]}")(parsed(r"^احجز غرفة (\d+) في (\d+)$", r)),
    ),
    "a product of two numbers": (
        cases(("3 lamps at 12.50", "total 37.50"), ("12 lamps at 8.20", "total 98.40")),
        lambda r: (lambda m: f"total {int(m[1]) * round(float(m[2]) * 100) / 100:.2f}")(
            parsed(r"^(\d+) lamps at (\S+)$", r)
        ),
    ),
    "a log-in, joined from two parts": (
        cases(
            ("new user Anna Smith", "asmith"), ("new user Peter Jones", "pjones"), ("new user Mo Lee", "mlee")
        ),
        lambda r: (lambda m: (m[1][0] + m[2]).lower())(parsed(r"^new user (\S+) (\S+)$", r)),
    ),
    "a Korean particle": (
        cases(("민수는 3층", "민수/3"), ("영희는 7층", "영희/7"), ("지훈은 9층"[:2] + "는 9층", "지훈/9")),
        lambda r: (lambda m: f"{m[1]}/{m[2]}")(parsed(r"^(\S+)는 (\d+)층$", r)),
    ),
    "JSON in, a call out": (
        cases(
            ('{"item": "lamp", "qty": 12}', call(12, "LAMP")),
            ('{"item": "desk", "qty": 40}', call(40, "DESK")),
        ),
        lambda r: call(json.loads(r)["qty"], json.loads(r)["item"].upper()),
    ),
    "worded otherwise each time": (
        cases(
            ("Please give C40 to Peter", "Peter has C40"),
            ("Anna would like B12", "Anna has B12"),
            ("Could A27 go to Maria?", "Maria has A27"),
        ),
        lambda r: (lambda code, name: f"{name} has {code}")(
            parsed(r"\b[A-Z]\d+", r)[0],
            parsed(r"to (\w+)|^(\w+) would", r).expand(r"\1\2"),
        ),
    ),
    "worded otherwise each time, with numbers of one and two digits": (
        cases(
            ("We have 6 boxes of brass hinges left in Turku.", "[TURKU] brass hinges = 6"),
            ("In Lyon there are still 89 boxes of steel bolts.", "[LYON] steel bolts = 89"),
            ("Note for the Leeds depot, copper wire is down to 3 boxes.", "[LEEDS] copper wire = 3"),
        ),
        lambda r: (lambda count, city, thing: f"[{city.upper()}] {thing} = {count}")(
            parsed(r"\d+", r)[0],
            parsed(r"left in ([^.]+)|In (.+) there|the (.+) depot", r).expand(r"\1\2\3"),
            parsed(r"boxes of (.+) left|boxes of ([^.]+)\.|depot, (.+) is", r).expand(r"\1\2\3"),
        ),
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_twins_are_right_and_many(name: str) -> None:
    shown, truth = FORMS[name]
    (pattern,) = patterns(shown)
    made = twins(pattern)
    assert pattern.cases == tuple(range(len(shown)))
    assert [t.answer for t in made] == [truth(t.request) for t in made]
    assert len({t.request for t in made}) >= (20 if "Korean" in name else 60)


def test_says_in_words_how_an_answer_is_made() -> None:
    (pattern,) = patterns(cases(("Book Tuesday", "TUE"), ("Book Friday", "FRI"), ("Book Monday", "MON")))
    assert pattern.describe() == ["the first three letters of the weekday (“Tuesday”), in capitals"]


def test_one_exchange_or_one_answer_is_no_pattern() -> None:
    assert patterns(cases(("Who leads Ghent?", "Ines Corvo"))) == []
    assert patterns(cases(("Who leads Ghent?", "Ines Corvo"), ("Who leads Lyon?", "Max Held"))) == []
    assert patterns(cases(("hello", "Hi!"), ("hello there", "Hi!"))) == []
    assert patterns([]) == []


def test_an_exception_is_no_pattern() -> None:
    rule = [(f"paint {c} {n}", f"{c.upper()} {n}") for c, n in (("red", 12), ("blue", 40), ("green", 75))]
    assert patterns(cases(*rule))
    assert patterns(cases(*rule, ("paint black 63", "black 63"))) == []


def test_a_later_step_that_begins_alike_is_no_exception() -> None:
    border = "\n\x1e\n"
    steps = [
        [f"close {name}", f"close {name}{border}{number}", f"close {name}{border}{number}{border}{border}ok"]
        for name, number in (("Anna", "C-482"), ("Peter", "C-771"))
    ]
    answers = [(f"find {n}", f"shut {c} Q7", f"done {c}") for n, c in (("Anna", "C-482"), ("Peter", "C-771"))]
    shown = [Case(*pair) for each in zip(steps, answers, strict=True) for pair in zip(*each, strict=True)]
    assert sorted(p.cases for p in patterns(shown)) == [(0, 3), (1, 4), (2, 5)]
    other = Case(steps[0][1].replace("C-482", "C-650").replace("Anna", "Mira"), "shut nothing")
    assert sorted(p.cases for p in patterns([*shown, other])) == [(0, 3), (2, 5)]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (("12", "40"), ("n012", "n040"), "the number (“12”) padded with zeros to three digits"),
        (("1.234,50", "12,75"), ("1234.50", "12.75"), "the number (“1.234,50”) written like 1234.56"),
        (("12.46", "7.61"), ("12", "8"), "the number (“12.46”) rounded to a whole number"),
        (("2025-03-12", "2024-11-30"), ("WED", "SAT"), "the weekday of the date (“2025-03-12”) in English"),
        (("12. Mai 2025", "3. März 2025"), ("2025-05-12", "2025-03-03"), "the date (“12. Mai 2025”) as year"),
        (("2025-03-01", "2024-12-01"), ("2025-02-28", "2024-11-30"), "1 day before the date (“2025-03-01”)"),
        (("José Peña", "Åsa Öberg"), ("jose.pena", "asa.oberg"), "the parts of the words (“José Peña”)"),
        (("2:30 pm", "9:05 am"), ("14:30", "09:05"), "the time (“2:30 pm”) on the 24-hour clock"),
        (("3", "12"), ("March", "December"), "the month that the number (“3”) stands for, in English"),
    ],
)
def test_explanations_read_well(before: Sequence[str], after: Sequence[str], words: str) -> None:
    (pattern,) = patterns([Case(f"take {a} now", f"is {b}!") for a, b in zip(before, after, strict=True)])
    (described,) = pattern.describe()
    assert described.startswith(words)


def test_two_forms_in_one_session_are_two_patterns() -> None:
    found = patterns(
        cases(
            ("Parcel PX-310 for Anna, 12 kg", "PX-310 | ANNA"),
            ("weather in Oslo?", "Forecast: Oslo"),
            ("Parcel PX-774 for Peter, 31 kg", "PX-774 | PETER"),
            ("weather in Lyon?", "Forecast: Lyon"),
        )
    )
    assert sorted(p.cases for p in found) == [(0, 2), (1, 3)]


def test_a_letter_that_may_come_from_either_makes_the_twin_unknown() -> None:
    # T may be constant or the first letter of the day.
    (pattern,) = patterns(cases(("Tuesday room 12", "T-12"), ("Thursday room 40", "T-40")))
    assert {t.answer[0] for t in twins(pattern)} == {"T"}
    assert all(t.request.startswith("T") for t in twins(pattern))


def test_a_label_keeps_its_value_while_others_vary() -> None:
    shown = cases(
        ("lamp, order 4471", "Q-RED 4471"),
        ("desk, order 2958", "Q-BLUE 2958"),
        ("lamp, order 5120", "Q-RED 5120"),
        ("desk, order 7733", "Q-BLUE 7733"),
    )
    (pattern,) = patterns(shown)
    made = twins(pattern)
    assert made
    for twin in made:
        assert twin.answer.startswith("Q-RED" if twin.request.startswith("lamp") else "Q-BLUE")


def test_replacements_are_never_chained_and_constants_stay() -> None:
    shown = cases(("from 12 to 40", "12>40"), ("from 40 to 75", "40>75"), ("from 75 to 12", "75>12"))

    def swap(value: str, rng: random.Random, pool: Sequence[str]) -> str | None:
        return {"12": "40", "40": "75", "75": "99"}.get(value)

    (pattern,) = patterns(shown)
    rng = random.Random(3)
    for twin in filter(None, (pattern.twin(rng, swap) for _ in range(50))):
        assert twin.answer == ">".join(re.findall(r"\d+", twin.request))
    (kept,) = patterns(shown, constants={"12", "40", "75"})
    assert kept.twin(rng, draw) is None


def test_json_keeps_its_types() -> None:
    shown = cases(
        ('{"n": 12, "s": "07"}', '{"k": "07", "m": 12}'), ('{"n": 40, "s": "31"}', '{"k": "31", "m": 40}')
    )

    def zeros(value: str, rng: random.Random, pool: Sequence[str]) -> str | None:
        return f"0{rng.randint(1, 9)}"

    (pattern,) = patterns(shown)
    rng = random.Random(1)
    for twin in filter(None, (pattern.twin(rng, zeros) for _ in range(50))):
        assert isinstance(json.loads(twin.request)["n"], int)
        assert isinstance(json.loads(twin.answer)["m"], int)


words = st.sampled_from("anna bob carl dora emil fritz greta hugo".split())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(words, st.integers(10, 9999), words), min_size=3, max_size=5, unique=True),
    st.integers(0, 99),
)
def test_a_twin_is_what_the_pattern_says(rows: list[tuple[str, int, str]], seed: int) -> None:
    def exchange(a: str, n: int, b: str) -> Case:
        return Case(f"move {a} past {n} beside {b}.", f"{b.upper()}<{n}<{a}")

    shown = [exchange(*row) for row in rows]
    for pattern in patterns(shown):
        for twin in twins(pattern, 10, seed):
            found = re.fullmatch(r"move (.+) past (\d+) beside (.+)\.", twin.request)
            assert found
            assert twin.answer == f"{found[3].upper()}<{found[2]}<{found[1]}"
            again = patterns([*shown, Case(twin.request, twin.answer)])
            assert any(len(shown) in p.cases for p in again)


texts = st.text(max_size=30) | st.text('ab 1,.:"{}\\\n', max_size=30)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.builds(Case, texts, texts), max_size=5))
def test_any_text_is_taken(shown: list[Case]) -> None:
    for pattern in patterns(shown):
        pattern.describe()
        twins(pattern, 3)


def test_the_same_seed_gives_the_same_twins_in_every_process() -> None:
    script = (
        "import random, sys; sys.path.insert(0, '.')\n"
        "from tests.lessons.test_patterns import FORMS, patterns, twins\n"
        "for shown, _ in FORMS.values():\n"
        "    print([(p.describe(), [t.request for t in twins(p, 5)]) for p in patterns(shown)])\n"
    )
    seeds = ("1", "2")
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": s, "PYTHONPATH": "."},
        )
        for s in seeds
    ]
    assert runs[0].stdout == runs[1].stdout != ""


def test_a_long_session_is_read_in_seconds() -> None:
    rng = random.Random(1)
    filler = " ".join(rng.choices(_SYLLABLES, k=120))
    shown = [
        Case(f"{filler} {rng.randint(100, 999)} {filler[:60]} {n}", f"{n * 7} of {filler[:20]}")
        for n in range(20, 80)
    ]
    start = time.monotonic()
    assert patterns(shown)
    assert time.monotonic() - start < 10
