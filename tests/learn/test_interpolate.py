"""How far back a trained adapter goes."""

import pytest
import torch

from nightschool.learn.interpolate import interpolate_back
from nightschool.learn.student import STUDENT
from nightschool.models.hf import HFModel


@pytest.mark.parametrize(
    ("right", "kept"),
    [
        (2, 1.0),  # one less
        (3, 0.9),
        (4, 0.9),
    ],
)
def test_it_goes_back_unless_something_is_lost(tiny: HFModel, right: int, kept: float) -> None:
    start, student = tiny.fresh_adapter(4, 0), tiny.fresh_adapter(4, 1)
    begun, ended = start.copy(), student.copy()

    def measure() -> list[bool]:
        assert tiny.adapter(STUDENT) is student  # at nine tenths of the way
        for a, z, now in zip(begun.parameters(), ended.parameters(), student.parameters(), strict=True):
            torch.testing.assert_close(now, a + 0.9 * (z - a))
        return [i < right for i in range(5)]

    assert interpolate_back(tiny, start, student, 3 / 5, measure) == kept
    for a, z, now in zip(begun.parameters(), ended.parameters(), student.parameters(), strict=True):
        torch.testing.assert_close(now, a + kept * (z - a))
    assert tiny.adapter(STUDENT) is student
