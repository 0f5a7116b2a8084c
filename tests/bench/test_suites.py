"""The generators: pure in the seed, and their checks know a right answer from a wrong one."""

import pytest

from nightschool.bench.cases import Suite
from nightschool.bench.stream_suites import stream
from nightschool.bench.suites import SUITES
from nightschool.checks import passes


def all_suites(seed: int) -> list[Suite]:
    return [make(seed) for make in SUITES.values()]


@pytest.mark.parametrize("seed", range(3))
def test_a_suite_is_a_function_of_its_seed(seed: int) -> None:
    assert all_suites(seed) == all_suites(seed)
    assert [s.session.messages for s in all_suites(seed)] != [
        s.session.messages for s in all_suites(seed + 1)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_checks_pass_right_answers_and_nothing_else(seed: int) -> None:
    for suite in [*all_suites(seed), *stream(seed)]:
        for case in (*suite.unseen, *suite.adjacent):
            right = suite.answers[case.id]
            assert passes(case.check, right), (case.id, right)
            assert not passes(case.check, "")
            others = {a for name, a in suite.answers.items() if name != case.id and a != right}
            wrong = [a for a in others if passes(case.check, a)]
            assert len(wrong) <= len(others) / 4, (case.id, wrong[:2])


@pytest.mark.parametrize("seed", range(3))
def test_no_case_is_in_the_session(seed: int) -> None:
    for suite in [*all_suites(seed), *stream(seed)]:
        said = {m.content for m in suite.session.messages}
        for case in suite.unseen:
            assert len(case.messages) > 1 or case.messages[-1].content not in said, case.id


def test_twenty_small_lessons_are_unlike() -> None:
    lessons = stream(0)
    assert len({s.name for s in lessons}) == len(lessons) == 20
    assert all(len(s.unseen) == 16 for s in lessons)
