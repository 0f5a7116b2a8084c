"""What makes an answer right, and how a bad case is refused."""

import json

import pytest

from nightschool.errors import BadRequest
from nightschool.measure.cases import first_object, parse_check, passes, read_cases
from nightschool.serve.wire import parse_messages


@pytest.mark.parametrize(
    ("check", "answer", "right"),
    [
        ({"exact": "PAY"}, " PAY\n", True),
        ({"exact": "PAY"}, "PAY.", False),
        ({"contains": ["a", "b"]}, "xbxa", True),
        ({"contains": ["a", "b"]}, "a", False),
        ({"regex": r"^\d+$"}, "42", True),
        ({"regex": r"^\d+$"}, "x42", False),
        ({"json": {"a": 1}}, 'Sure: {"a": 1, "b": 2}', True),
        ({"json": {"a": {"b": True}}}, '{"a": {"b": true}}', True),
        ({"json": {"a": True}}, '{"a": 1}', False),
        ({"json": {"a": 1}}, '{"a": 2}', False),
        ({"json": {"a": 1}}, "none", False),
    ],
)
def test_checks(check: dict[str, object], answer: str, right: bool) -> None:
    assert passes(parse_check(check), answer) is right


@pytest.mark.parametrize(
    "check",
    [{}, {"exact": 1}, {"contains": []}, {"regex": "("}, {"json": []}, {"exact": "a", "regex": "b"}, 3],
)
def test_bad_checks_are_refused(check: object) -> None:
    with pytest.raises(BadRequest, match="check"):
        parse_check(check)


def test_the_first_whole_object_counts() -> None:
    assert first_object('{broken {"a": {"b": 1}} {"c": 2}') == {"a": {"b": 1}}


GOOD = {"id": "1", "messages": [{"role": "user", "content": "x"}], "check": {"exact": "y"}}


def test_reads_cases() -> None:
    (case,) = read_cases([json.dumps({**GOOD, "group": "g"}), "\n"], parse_messages)
    assert (case.id, case.group, case.messages[0].content) == ("1", "g", "x")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 2: not valid JSON"),
        ("[]", "line 2: a case is a JSON object"),
        (json.dumps({**GOOD, "chek": 1}), r"line 2: unknown: \['chek'\]"),
        (json.dumps({"id": "1"}), r"line 2: .*missing: \['check', 'messages'\]"),
        (json.dumps({**GOOD, "messages": []}), "line 2: messages"),
    ],
)
def test_a_bad_case_is_named_by_its_line(line: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        read_cases([json.dumps(GOOD), line], parse_messages)


def test_no_cases_is_an_error() -> None:
    with pytest.raises(BadRequest, match="no cases"):
        read_cases([], parse_messages)
