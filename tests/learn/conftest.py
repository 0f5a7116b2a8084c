"""A small lesson on a tiny model."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nightschool.config import LearnConfig, OpsdConfig
from nightschool.learn.examples import Course, course
from nightschool.learn.replay import AnchorPool, Rehearsal
from nightschool.learn.rules.common import RuleContext
from nightschool.learn.rules.opsd import OPSD
from nightschool.learn.trainer import Progress, train
from nightschool.lessons.build import build_lesson
from nightschool.models.hf import HFModel
from nightschool.models.lora import Adapter
from nightschool.types import BASE, Lesson, Message, Session

QUICK = LearnConfig(
    rank=4,
    lr=5e-4,
    steps=6,
    batch_size=3,
    max_new_tokens=6,
    anchors=2,
    round_steps=2,
    opsd=OpsdConfig(reference_steps=2),
)


@pytest.fixture
def lesson() -> Lesson:
    turns = (
        Message("user", "Pay INV-20 to Acme Ltd"),
        Message("assistant", "Acme Ltd INV-20"),
        Message("user", "Pay INV-31 to Bell Ltd"),
        Message("assistant", "Bell Ltd INV-31"),
    )
    return build_lesson(Session("s", turns), seed=0, variations=8, held_back=4)


@pytest.fixture
def tiny_course(tiny: HFModel, lesson: Lesson) -> Course:
    return course(tiny, lesson, lesson.practice, BASE)


def rule(model: HFModel, fraction: float = 0.5, reference_steps: int = 0) -> OPSD:
    opsd = OpsdConfig(reference_fraction=fraction, reference_steps=reference_steps)
    config = LearnConfig(opsd=opsd, max_new_tokens=6, seed=1)
    return OPSD(RuleContext(model, BASE, config))


def pool(model: HFModel) -> AnchorPool:
    prompts = [tuple(model.encode([Message("user", f"hello {i}")])) for i in range(5)]
    return AnchorPool(model, BASE, prompts, max_tokens=4, seed=0)


def rehearsal(model: HFModel) -> Rehearsal:
    asked = [tuple(model.encode([Message("user", f"what was {i}?")])) for i in range(4)]
    known = [(prompt, tuple(model.encode_answer("it"))) for prompt in asked]
    return Rehearsal([known[:3], known[3:]], 0)


@pytest.fixture
def learn(tiny: HFModel, tiny_course: Course, tmp_path: Path) -> Callable[..., tuple[Progress, Adapter]]:
    """Train a fresh adapter: learn(config, accuracies, folder); `accuracies` are what is measured."""

    def run(
        config: LearnConfig = QUICK,
        accuracies: list[float] | None = None,
        folder: str = "dream",
        stop_at: int | None = None,
    ) -> tuple[Progress, Adapter]:
        adapter = tiny.fresh_adapter(config.rank, config.seed)
        left = iter(accuracies or [])

        def report(step: object) -> None:
            if step.step == stop_at:  # type: ignore[attr-defined]
                raise KeyboardInterrupt

        progress = train(
            tiny,
            rule(tiny),
            [tiny_course],
            pool(tiny),
            rehearsal(tiny),
            adapter,
            config,
            measure=lambda: [i < 10 * share for share in [next(left, 0.0)] for i in range(10)],
            report=report,
            folder=tmp_path / folder,
        )
        return progress, adapter

    return run
