"""The paired test against binomial tails by hand, and what the gate must refuse."""

from typing import Any

import pytest

from nightschool.config import GateConfig
from nightschool.gate.verdict import Measured, judge, least_probes, missing, sign_test
from nightschool.types import Verdict

CONFIG = GateConfig()
LEARNED = ([False] * 8, [True] * 8)


def verdict_on(**measured: Any) -> Verdict:
    """Nothing else is measured, and nothing drifted."""
    nothing: dict[str, Any] = {"new": {}, "earlier": {}, "unwanted": {}, "kl_to_base": 0.0}
    return judge(CONFIG, Measured(**{**nothing, **measured}))


def test_sign_test_by_hand() -> None:
    assert sign_test([False] * 5, [True] * 5) == pytest.approx(1 / 32)
    assert sign_test([False, False, True], [True, True, False]) == pytest.approx(
        4 / 8
    )  # 2 gains of 3 changes
    assert sign_test([True, False], [True, False]) == 1.0


@pytest.mark.parametrize(("alpha", "probes"), [(0.99, 1), (0.5, 2), (0.1, 4), (0.05, 5), (0.01, 7)])
def test_the_fewest_probes_that_can_pass_by_hand(alpha: float, probes: int) -> None:
    assert least_probes(alpha) == probes  # the smallest k with 2 ** -k < alpha


@pytest.mark.parametrize(
    ("probes", "exchanges", "more"),
    [
        (4, 2, 1),  # two each: three exchanges yield six
        (2, 2, 3),  # one each: five yield five
        (1, 3, 12),  # one of three: fifteen yield five
        (4, 1, 1),  # two would yield eight
        (0, 3, 5),  # nothing is known of the next ones but that they are asked
        (0, 0, 5),
        (4, 0, 1),  # whatever they came from
    ],
)
def test_how_many_exchanges_are_missing_for_five_probes_by_hand(
    probes: int, exchanges: int, more: int
) -> None:
    assert missing(probes, 5, exchanges) == more


def test_promotes_what_was_learned_and_kept() -> None:
    verdict = verdict_on(
        new={"s": LEARNED},
        earlier={"e": ([True] * 10, [True] * 9 + [False])},
        kl_to_base=0.02,
    )
    assert verdict.promote
    assert verdict.numbers["new"]["s"] == {"n": 8, "before": 0.0, "after": 1.0}


def test_no_probes_is_rejected() -> None:
    nothing: list[dict[str, tuple[list[bool], list[bool]]]] = [{}, {"s": ([], [])}]
    for new in nothing:
        verdict = verdict_on(new=new)
        assert not verdict.promote
        assert "no probes" in verdict.reasons[0]


def test_no_improvement_is_rejected() -> None:
    verdict = verdict_on(new={"s": ([False] * 4, [True] * 4)})
    assert not verdict.promote  # 1/16 > 0.05
    assert "did not improve" in verdict.reasons[0]


@pytest.mark.parametrize("kl", [0.11, float("nan"), float("inf")])
def test_drift_is_rejected(kl: float) -> None:
    assert not verdict_on(new={"s": LEARNED}, kl_to_base=kl).promote


def test_a_fallen_earlier_lesson_is_rejected() -> None:
    verdict = verdict_on(
        new={"s": LEARNED},
        earlier={"e": ([True] * 10, [True] * 8 + [False] * 2)},
    )
    assert verdict.reasons == ("lesson e fell from 10 to 8 of 10 right",)


def test_a_new_lesson_that_got_worse_is_rejected_even_if_others_gain() -> None:
    verdict = verdict_on(new={"a": LEARNED, "b": ([True], [False])}, kl_to_base=0.0)
    assert verdict.reasons == ("lesson b fell from 1 to 0 of 1 right",)


def test_an_answer_that_nobody_wants_is_not_to_come_back() -> None:
    unwanted = {"bad": ([False, True], [True, True])}
    verdict = verdict_on(new={"s": LEARNED}, unwanted=unwanted)
    assert verdict.reasons == ("session bad: 1 unwanted answers that were not given before",)
    kept = {"bad": ([True, False], [True, False])}
    assert verdict_on(new={"s": LEARNED}, unwanted=kept).promote
