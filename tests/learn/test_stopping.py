"""When a training ends, and which step is as good as the best."""

import pytest

from nightschool.learn.stopping import as_good, finished
from nightschool.learn.student import Progress


def test_one_standard_error() -> None:
    assert as_good(0.4, 0.5, 23)  # sqrt(0.5 * 0.5 / 25) = 0.1
    assert not as_good(0.39, 0.5, 23)
    assert as_good(10 / 12, 11 / 12, 12)  # one more wrong is chance
    assert not as_good(11 / 12, 1.0, 12)
    assert as_good(0.0, 0.0, 0)


@pytest.mark.parametrize(
    ("history", "best_step", "ends"),
    [
        ([], 0, False),
        ([(2, 1.0)], 2, False),
        ([(2, 1.0), (4, 1.0)], 4, True),
        ([(2, 0.9), (4, 0.4), (6, 0.4)], 2, False),
        ([(2, 0.9), (4, 0.4), (6, 0.4), (8, 0.3)], 2, False),  # lost on the way: it may come back
        ([(2, 0.9), (4, 0.4), (6, 0.4), (8, 0.85)], 8, True),
        ([(2, 0.9), (4, 0.9), (6, 0.4), (8, 0.9)], 8, True),
        ([(2, 0.9), (4, 0.4), (6, 0.4), (8, 0.95)], 8, False),
        ([(2, 0.5), (4, 0.4), (6, 0.4), (8, 0.4)], 2, False),  # half learned: go on
        ([(2, 0.0), (4, 0.0), (6, 0.0), (8, 0.0)], 8, False),  # nothing learned yet: go on
    ],
)
def test_when_to_stop(history: list[tuple[int, float]], best_step: int, ends: bool) -> None:
    best = max((a for _, a in history), default=-1.0)
    step = history[-1][0] if history else 1
    progress = Progress(step=step, best_step=best_step, best_accuracy=best, history=history)
    assert finished(progress, 100) is ends
    assert finished(progress, step)
