"""The training loop on a tiny model: seeded, resumable, and it keeps the best step it measured."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nightschool.config import LearnConfig
from nightschool.learn.trainer import Progress, as_good, batch, finished
from nightschool.models.lora import Adapter
from tests.learn.conftest import QUICK

Learn = Callable[..., tuple[Progress, Adapter]]


def weights(adapter: Adapter) -> list[torch.Tensor]:
    return [p.detach().clone() for p in adapter.parameters()]


def same(a: Adapter, b: Adapter) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def test_the_same_seed_gives_the_same_adapter(learn: Learn) -> None:
    (_, first), (_, second) = learn(folder="a"), learn(folder="b")
    assert same(first, second)
    _, other = learn(QUICK.model_copy(update={"seed": 1}), folder="c")
    assert not same(first, other)


@pytest.mark.parametrize("killed_at", [1, 3, 4, 5])
def test_a_killed_training_ends_where_it_would_have(learn: Learn, killed_at: int) -> None:
    accuracies = [0.1, 0.5, 0.2]
    whole, expected = learn(accuracies=accuracies, folder="whole")
    with pytest.raises(KeyboardInterrupt):
        learn(accuracies=accuracies, folder="killed", stop_at=killed_at)
    measured = (killed_at - 1) // 2  # what the last checkpoint knows of
    progress, resumed = learn(accuracies=accuracies[measured:], folder="killed")
    assert same(resumed, expected)
    assert progress == whole


def test_the_best_measured_step_is_kept(learn: Learn) -> None:
    _, two = learn(QUICK.model_copy(update={"steps": 2}), [0.0], "two")
    progress, best = learn(accuracies=[0.9, 0.1, 0.2], folder="best")
    assert (progress.best_step, progress.best_accuracy) == (2, 0.9)
    assert same(best, two)


@pytest.mark.parametrize(
    ("accuracies", "kept"),
    [([0.5, 0.5, 0.5], 6), ([0.5, 0.7, 0.6], 6), ([0.5, 0.9, 0.7], 4), ([0.2, 1.0, 0.9], 4)],
)
def test_what_is_as_good_but_for_chance_goes_to_the_later_step(
    learn: Learn, accuracies: list[float], kept: int
) -> None:
    progress, _ = learn(accuracies=accuracies)
    assert (progress.best_step, progress.best_accuracy) == (kept, max(accuracies))
    assert progress.kept_accuracy == accuracies[kept // 2 - 1]


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
    assert finished(progress, LearnConfig(steps=100)) is ends
    assert finished(progress, LearnConfig(steps=step))


@given(st.integers(1, 20), st.integers(1, 8), st.integers(0, 99))
def test_every_drill_has_its_turn_once_an_epoch(examples: int, size: int, seed: int) -> None:
    every = [SimpleNamespace(id=str(i)) for i in range(examples)]
    turns = [d.id for turn in range(examples) for d in batch(every, turn, size, seed)]  # type: ignore[arg-type]
    if examples % size == 0:
        assert {turns.count(d.id) for d in every} == {size}
    assert batch(every, 3, size, seed) == batch(every, 3, size, seed)  # type: ignore[arg-type]
