"""The training loop on a tiny model: seeded, resumable, and it keeps the best step it measured."""

from collections import Counter
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nightschool.learn.examples import Example
from nightschool.learn.student import Progress
from nightschool.learn.trainer import draw_examples
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


@given(st.integers(1, 20), st.integers(1, 8), st.integers(0, 99))
def test_every_example_has_its_turn_once_an_epoch(examples: int, size: int, seed: int) -> None:
    """Of n batches of `size` each, where a batch names nobody twice: everybody is drawn `size` times."""
    every = [Example(str(i), (), ()) for i in range(examples)]
    size = min(size, examples)
    turns = [[e.id for e in draw_examples(every, turn, size, seed)] for turn in range(examples)]
    drawn = Counter(name for turn in turns for name in turn)
    # A batch across the seam of two epochs may name one twice, and then has it once.
    assert all(count <= size for count in drawn.values())
    assert drawn.keys() == {e.id for e in every}
    if examples % size == 0:
        assert set(drawn.values()) == {size}


def test_an_example_keeps_its_place_without_another() -> None:
    """What is drawn next does not depend on who else is there: only on the seed and the ids."""
    every = [Example(str(i), (), ()) for i in range(6)]
    order = [e.id for e in draw_examples(every, 0, 6, 7)]
    rest = [e.id for e in draw_examples(every[1:], 0, 5, 7)]
    assert rest == [name for name in order if name != "0"]
    assert [e.id for e in draw_examples(every[::-1], 0, 6, 7)] == order
    assert [e.id for e in draw_examples(every, 0, 6, 8)] != order
