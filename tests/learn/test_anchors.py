"""Anchors: a version's own answers, the same ones whenever a step asks for them."""

import torch

from nightschool.learn.anchors import AnchorPool
from nightschool.models.hf import HFModel
from nightschool.types import BASE, Message
from tests.learn.conftest import pool
from tests.models.test_hf import randomised


def test_a_step_sees_the_same_anchors_whenever_it_comes(tiny: HFModel) -> None:
    forwards, backwards = pool(tiny), pool(tiny)
    one = [forwards.take(step, 2) for step in range(4)]
    other = [backwards.take(step, 2) for step in (3, 2, 1, 0)][::-1]
    assert [[a.answer for a in step] for step in one] == [[a.answer for a in step] for step in other]


def test_hidden_states_are_those_of_each_groups_version(tiny: HFModel) -> None:
    tiny.put("n@1", randomised(tiny))
    hello, bye = ([tuple(tiny.encode([Message("user", text)]))] for text in ("hello", "bye"))
    anchors = AnchorPool(tiny, [(BASE, hello), ("n@1", bye)], max_tokens=4, seed=0).take(0, 1)
    for anchor, version in zip(anchors, (BASE, "n@1"), strict=True):
        (logps,) = tiny.score([(anchor.prompt, anchor.answer)], version)
        index = torch.arange(len(anchor.answer)), torch.tensor(anchor.answer)
        torch.testing.assert_close(
            tiny.logits(anchor.hidden_AD).log_softmax(-1)[index], torch.tensor(logps), atol=1e-5, rtol=1e-5
        )


def test_as_many_are_of_earlier_lessons_as_general_and_every_lesson_has_its_share(tiny: HFModel) -> None:
    def prompts(word: str, count: int) -> list[tuple[int, ...]]:
        return [tuple(tiny.encode([Message("user", f"{word}{i}")])) for i in range(count)]

    general, first, second = prompts("g", 8), prompts("a", 2), prompts("b", 3)
    anchors = AnchorPool(tiny, [(BASE, some) for some in (general, first, second)], max_tokens=1, seed=0)
    asked = [a.prompt for step in range(4) for a in anchors.take(step, 2)]
    assert [p in general for p in asked] == [True, False] * 8
    assert sum(p in first for p in asked) == sum(p in second for p in asked) == 4


def test_no_anchors_is_no_error(tiny: HFModel) -> None:
    assert AnchorPool(tiny, [(BASE, [])], max_tokens=1, seed=0).take(3, 4) == []
