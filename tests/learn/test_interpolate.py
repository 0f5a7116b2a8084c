"""How far back a trained adapter goes."""

import pytest
import torch

from nightschool.learn.interpolate import go_back
from nightschool.learn.trainer import STUDENT
from nightschool.models.hf import HFModel


@pytest.mark.parametrize(
    ("right", "kept"),
    [
        ([2], 1.0),  # the first step back loses one
        ([4, 2], 0.9),
        ([4, 3], 0.8),  # what is gained on the way is not asked for again
    ],
)
def test_it_goes_back_until_something_is_lost(tiny: HFModel, right: list[int], kept: float) -> None:
    start, student = tiny.fresh_adapter(4, 0), tiny.fresh_adapter(4, 1)
    begun, ended = start.copy(), student.copy()
    left = iter(right)

    def measure() -> list[bool]:
        count = next(left)
        return [i < count for i in range(5)]

    assert go_back(tiny, start, student, 3 / 5, measure) == kept
    assert next(left, None) is None  # not measured more often than needed
    for a, z, now in zip(begun.parameters(), ended.parameters(), student.parameters(), strict=True):
        torch.testing.assert_close(now, a + kept * (z - a))
    assert tiny.adapter(STUDENT) is student
