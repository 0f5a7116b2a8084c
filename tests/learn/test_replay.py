"""Anchors: a version's own answers, the same ones whenever a step asks for them."""

from collections import Counter
from collections.abc import Sequence

import torch
from hypothesis import given
from hypothesis import strategies as st

from nightschool.engines.base import PromptAnswer
from nightschool.learn.replay import AnchorPool, Rehearsal, apportioned
from nightschool.models.hf import HFModel
from nightschool.types import BASE, Message
from tests.learn.conftest import pool
from tests.models.test_hf import randomised


def test_a_step_sees_the_same_anchors_whenever_it_comes(tiny: HFModel) -> None:
    forwards, backwards = pool(tiny), pool(tiny)
    one = [forwards.take(step, 2) for step in range(4)]
    other = [backwards.take(step, 2) for step in (3, 2, 1, 0)][::-1]
    assert [[a.answer for a in step] for step in one] == [[a.answer for a in step] for step in other]


def test_hidden_states_are_the_versions(tiny: HFModel) -> None:
    tiny.publish("n@1", randomised(tiny))
    prompts = [tuple(tiny.encode([Message("user", "hello")]))]
    (anchor,) = AnchorPool(tiny, "n@1", prompts, max_tokens=4, seed=0).take(0, 1)
    (logps,) = tiny.score([(anchor.prompt, anchor.answer)], "n@1")
    index = torch.arange(len(anchor.answer)), torch.tensor(anchor.answer)
    torch.testing.assert_close(
        tiny.logits(anchor.hidden_AW).log_softmax(-1)[index], torch.tensor(logps), atol=1e-5, rtol=1e-5
    )


def test_no_anchors_is_no_error(tiny: HFModel) -> None:
    assert AnchorPool(tiny, BASE, [], max_tokens=1, seed=0).take(3, 4) == []
    assert Rehearsal([], 0).take(3, 4, unhurt) == []
    assert Rehearsal(lessons(2), 0).take(3, 0, unhurt) == []


def lessons(*sizes: int) -> list[list[PromptAnswer]]:
    return [[((lesson,), (lesson, i)) for i in range(size)] for lesson, size in enumerate(sizes)]


def unhurt(pairs: Sequence[PromptAnswer]) -> list[float]:
    return [0.0] * len(pairs)


def test_earlier_lessons_share_a_round_and_each_round_is_another() -> None:
    known = lessons(8, 8, 8)
    known[0].append(((0,), ()))  # no answer is known: nothing to rehearse
    rehearsal = Rehearsal([*known, []], "0:v@1")
    first, again, next_ = (rehearsal.take(step, 12, unhurt) for step in (0, 0, 4))
    assert Counter(prompt for prompt, _ in first) == {(0,): 4, (1,): 4, (2,): 4}
    assert len(set(first)) == 12
    assert all(answer for _, answer in first)
    assert first == again != next_
    assert Rehearsal(known, "0:v@2").take(0, 12, unhurt) != first


def test_what_the_night_hurts_is_rehearsed_most() -> None:
    def nll(pairs: Sequence[PromptAnswer]) -> list[float]:
        assert Counter(prompt for prompt, _ in pairs) == {(0,): 2, (1,): 2, (2,): 1}
        return [0.95 if prompt == (1,) else 0.0 for prompt, _ in pairs]

    some = Rehearsal(lessons(8, 4, 1), 0).take(0, 22, nll)
    # By 0.05, 1.0 and 0.05 nats; a lesson of fewer comes again.
    assert Counter(prompt for prompt, _ in some) == {(0,): 1, (1,): 20, (2,): 1}
    assert Counter(answer for _, answer in some if answer[0] == 1) == {(1, i): 5 for i in range(4)}


def test_places_go_by_weight() -> None:
    # Quotients of 6: 6, 3, 2, 1.5; of 3: 3, 1.5; of 1: 1.
    assert apportioned([6.0, 3.0, 1.0], 4) == [3, 1, 0]
    assert apportioned([6.0, 3.0, 1.0], 6) == [4, 2, 0]
    assert apportioned([1.0], 3) == [3]


@given(st.lists(st.floats(0.05, 50), min_size=1, max_size=20), st.integers(0, 64))
def test_all_places_are_given_and_more_weight_is_never_less(weights: list[float], count: int) -> None:
    parts = apportioned(weights, count)
    assert sum(parts) == count
    for one, some in zip(weights, parts, strict=True):
        assert all(some >= few for other, few in zip(weights, parts, strict=True) if one > other)
