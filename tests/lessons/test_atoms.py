"""Atoms of texts in many scripts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.lessons.atoms import atoms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("due 2024-05-01, 12.3.2025 or 3/14/24", "due|2024-05-01|,|12.3.2025|or|3/14/24"),
        ("2024年5月1日", "2024|年|5|月|1|日"),
        ("9:30-10:15", "9:30|-|10:15"),
        ("3.491,97 € or 12,500.00", "3.491,97|€|or|12,500.00"),
        ("1 200 Stück, 12\u202f500", "1 200|Stück|,|12\u202f500"),
        ("Anna,12,500\n12,500", "Anna|,|12|,|500|12,500"),
        ("room A27, 45KG, x30", "room|A|27|,|45|KG|,|x|30"),
        ("12時に東京", "12|時|に|東|京"),
        ("สวัสดี", "ส|วั|ส|ดี"),
        ("हिन्दी १२", "हिन्दी|१२"),
        ("cafe\u0301 👍🏽!", "cafe\u0301|👍|🏽|!"),
        ("v1.2.3 10.0.0.12", "v|1|.|2|.|3|10|.|0|.|0|.|12"),
        ('{"n": 12.5, "s": "a\\nb"}', '{|"|n|"|:|12.5|,|"|s|"|:|"|a|\\n|b|"|}'),
        ("99.99.2024", "99|.|99|.|2024"),
        ("", ""),
    ],
)
def test_splits_at_the_borders_that_a_reader_sees(text: str, expected: str) -> None:
    assert "|".join(a.text for a in atoms(text)) == expected


def test_says_what_kind_each_is() -> None:
    kinds = [a.kind for a in atoms("Am 1.5.2024 um 9:30 kamen 12,5 Leute (007)")]
    assert kinds == ["word", "date", "word", "time", "word", "number", "word", "mark", "code", "mark"]


@given(st.text())
def test_nothing_is_lost(text: str) -> None:
    at = 0
    for atom in atoms(text):
        assert text[atom.start : atom.end] == atom.text != ""
        assert atom.start == at or text[at : atom.start].isspace()
        at = atom.end
    assert not text[at:] or text[at:].isspace()
