"""A small lesson on a tiny model."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nightschool.config import LearnConfig, OpsdConfig
from nightschool.learn.examples import PracticeSet, practice_set
from nightschool.learn.replay import AnchorPool, Rehearsal
from nightschool.learn.rule import Rule, RuleContext
from nightschool.learn.rules.opsd import OPSD
from nightschool.learn.student import Progress, Student
from nightschool.learn.trainer import Practice, StepReport, train
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
def tiny_set(tiny: HFModel, lesson: Lesson) -> PracticeSet:
    return practice_set(tiny, lesson, lesson.practice, BASE)


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
def learn_by(tiny: HFModel, tiny_set: PracticeSet, tmp_path: Path) -> Callable[[Rule], list[torch.Tensor]]:
    """Train a fresh adapter by a rule; returns its weights."""

    def run(rule: Rule) -> list[torch.Tensor]:
        adapter, context = tiny.fresh_adapter(QUICK.rank, QUICK.seed), RuleContext(tiny, BASE, QUICK)
        practice = Practice([tiny_set], pool(tiny), rehearsal(tiny), lambda: [])
        train(context, rule, practice, Student(adapter, QUICK, tmp_path), 2, lambda _: None)
        return list(adapter.parameters())

    return run


@pytest.fixture
def learn(tiny: HFModel, tiny_set: PracticeSet, tmp_path: Path) -> Callable[..., tuple[Progress, Adapter]]:
    """Train a fresh adapter: learn(config, accuracies, folder); `accuracies` are what is measured."""

    def run(
        config: LearnConfig = QUICK,
        accuracies: list[float] | None = None,
        folder: str = "dream",
        stop_at: int | None = None,
    ) -> tuple[Progress, Adapter]:
        adapter = tiny.fresh_adapter(config.rank, config.seed)
        left = iter(accuracies or [])

        def report(step: StepReport) -> None:
            if step.step == stop_at:
                raise KeyboardInterrupt

        def measure() -> list[bool]:
            accuracy = next(left, 0.0)
            return [i < 10 * accuracy for i in range(10)]

        context = RuleContext(tiny, BASE, config)
        practice = Practice([tiny_set], pool(tiny), rehearsal(tiny), measure)
        student = Student(adapter, config, tmp_path / folder)
        return train(context, rule(tiny), practice, student, config.steps, report), adapter

    return run
