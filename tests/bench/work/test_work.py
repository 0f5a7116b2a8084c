"""The generators: functions of the seed, and their checks know a right answer from a wrong one."""

from collections.abc import Callable

import pytest

from bench.work.cases import Suite
from bench.work.kinds import KINDS
from bench.work.small import small_lessons
from bench.work.suites import SUITES
from nightschool.measure.cases import passes

MAKERS: list[Callable[[int], list[Suite]]] = [
    lambda seed: [make(seed) for make in SUITES.values()],
    lambda seed: [make(seed) for make in KINDS.values()],
    lambda seed: small_lessons(seed, 20),
]
suites = pytest.mark.parametrize("make", MAKERS, ids=["suites", "kinds", "small"])
seeds = pytest.mark.parametrize("seed", range(3))


@suites
@seeds
def test_a_suite_is_a_function_of_its_seed(make: Callable[[int], list[Suite]], seed: int) -> None:
    assert make(seed) == make(seed)
    assert make(seed) != make(seed + 1)


@suites
@seeds
def test_checks_pass_right_answers_and_nothing_else(make: Callable[[int], list[Suite]], seed: int) -> None:
    for suite in make(seed):
        for case in (*suite.unseen, *suite.adjacent):
            right = suite.answers[case.id]
            assert passes(case.check, right), (case.id, right)
            assert not passes(case.check, "")
            others = {a for name, a in suite.answers.items() if name != case.id and a != right}
            wrong = [a for a in others if passes(case.check, a)]
            assert len(wrong) <= len(others) / 4, (case.id, wrong[:2])


@suites
@seeds
def test_no_case_is_in_the_session(make: Callable[[int], list[Suite]], seed: int) -> None:
    for suite in make(seed):
        said = {m.content for m in suite.session.messages}
        for case in suite.unseen:
            assert len(case.messages) > 1 or case.messages[-1].content not in said, case.id


def test_twenty_small_lessons_are_unlike() -> None:
    lessons = small_lessons(0, 20)
    assert len({s.name for s in lessons}) == len(lessons) == 20
    assert all(len(s.unseen) == 16 for s in lessons)


def test_a_session_of_a_kind_does_not_depend_on_the_seed() -> None:
    for make in KINDS.values():
        assert make(0).session.messages == make(1).session.messages
        assert len(make(0).unseen) == 40
