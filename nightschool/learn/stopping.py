"""When a training ends, and which of its steps is as good as its best."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nightschool.learn.student import Progress

# Accuracy from which more steps are tried only while they still help. (Chosen, not measured.)
NEARLY = 0.9


def accuracy_of(right: Sequence[bool]) -> float:
    """The share of what was measured that is right."""
    return sum(right) / max(1, len(right))


def as_good(accuracy: float, best: float, count: int) -> bool:
    """Whether `accuracy` is within one standard error of the `best`, both of `count` requests (Breiman et
    al., Classification and Regression Trees, 1984, section 3.4.3). By the rule of succession, the true share
    behind the best is taken for (right + 1) / (count + 2): all of a few right is no certainty."""
    true = (best * count + 1) / (count + 2)
    return accuracy >= best - math.sqrt(true * (1 - true) / (count + 2))


def finished(progress: Progress, steps: int) -> bool:
    """At the last of `steps`, when all steering probes are right twice in a row, or when nearly everything
    was, still is, and three measurements brought nothing new. A training far from right may still get there,
    and one that lost something on the way (of earlier lessons, say) may win it back: both have all steps."""
    if progress.step >= steps:
        return True
    accuracies = [accuracy for _, accuracy in progress.history]
    if accuracies[-2:] == [1.0, 1.0]:
        return True
    before = max(accuracies[:-3], default=0.0)
    return before >= NEARLY and max(accuracies[-3:]) <= before and progress.best_step == progress.step
