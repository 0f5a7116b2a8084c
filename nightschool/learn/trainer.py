"""The one training loop. It does not know which rule it runs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import torch

from nightschool.config import LearnConfig
from nightschool.learn import checkpoint
from nightschool.learn.anchors import AnchorPool
from nightschool.learn.drills import Course, Drill
from nightschool.learn.losses import forward_kl
from nightschool.learn.opsd import Trajectory
from nightschool.learn.step import Distil, Signal, accumulate
from nightschool.models.hf import HFModel
from nightschool.models.lora import Adapter

STUDENT = "student"  # the name under which the learning adapter answers


class Rule(Protocol):
    """What a learning rule is to the loop."""

    def trajectories(self, drills: Sequence[Drill], student: str, seed: int) -> list[Trajectory]: ...
    def teach(self, course: Course, trajectories: Sequence[Trajectory]) -> Signal: ...


@dataclass(frozen=True)
class StepReport:
    """What one step did; times in seconds. `accuracy` is that of the newest measurement."""

    step: int
    steps: int
    loss: float
    anchor_loss: float
    rollouts_per_s: float
    accuracy: float | None
    rollout_s: float
    teacher_s: float
    student_s: float


@dataclass
class Progress:
    """Where a training stands; saved with every checkpoint."""

    step: int = 0
    best_step: int = 0
    best_accuracy: float = -1.0
    history: list[tuple[int, float]] = field(default_factory=list)  # (step, accuracy held back)
    tokens: int = 0  # sampled by the student


Report = Callable[[StepReport], None]
Measure = Callable[[], float]  # accuracy of STUDENT on practice that is held back


def train(
    model: HFModel,
    rule: Rule,
    courses: Sequence[Course],
    anchors: AnchorPool,
    adapter: Adapter,
    config: LearnConfig,
    *,
    measure: Measure,
    report: Report,
    folder: Path,
) -> Progress:
    """Train `adapter` in place and leave it at its best measured step. Resumes from `folder`."""
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=config.lr, weight_decay=0.0)
    adapter.trainable(True)
    model.put(STUDENT, adapter)
    progress, best = Progress(), adapter.copy()
    if saved := checkpoint.load(folder, adapter, best, optimizer):
        progress = Progress(**{**saved, "history": [(s, a) for s, a in saved["history"]]})
    while not finished(progress, config):
        step = progress.step
        course = courses[step % len(courses)]
        drills = batch(course.drills, step // len(courses), config.batch, config.seed)
        report_step = _step(model, rule, course, drills, anchors, adapter, optimizer, config, progress)
        progress.step += 1
        if progress.step % config.measure_every == 0 or progress.step == config.steps:
            accuracy = measure()
            progress.history.append((progress.step, accuracy))
            if accuracy >= progress.best_accuracy:  # a tie goes to the later step: its anchors held longer
                progress.best_accuracy, progress.best_step = accuracy, progress.step
                best = adapter.copy()
        report(report_step(progress))
        if progress.step % config.checkpoint_every == 0:
            checkpoint.save(folder, asdict(progress), adapter, best, optimizer)
    for master, kept in zip(adapter.parameters(), best.parameters(), strict=True):
        master.data.copy_(kept)
    adapter.trainable(False)
    adapter.refresh()
    return progress


def finished(progress: Progress, config: LearnConfig) -> bool:
    """At the last step, when everything held back is right twice in a row, or when nothing got better for
    three measurements after something had been learned."""
    if progress.step >= config.steps:
        return True
    recent = [accuracy for _, accuracy in progress.history]
    if recent[-2:] == [1.0, 1.0]:
        return True
    stale = sum(step > progress.best_step for step, _ in progress.history)
    return progress.best_accuracy > 0 and stale >= 3


def _step(
    model: HFModel,
    rule: Rule,
    course: Course,
    drills: Sequence[Drill],
    anchors: AnchorPool,
    adapter: Adapter,
    optimizer: torch.optim.Optimizer,
    config: LearnConfig,
    progress: Progress,
) -> Callable[[Progress], StepReport]:
    """One update; returns the report, to be completed with the accuracy measured after it."""
    started = time.perf_counter()
    trajectories = rule.trajectories(drills, STUDENT, _seed(config.seed, progress.step))
    sampled = [t for t in trajectories if not t.given]
    progress.tokens += sum(len(t.answer) for t in sampled)
    rolled = time.perf_counter()
    signal = rule.teach(course, trajectories)
    taught = time.perf_counter()
    batches = [([(t.drill.student, t.answer) for t in trajectories], signal)]
    if held := anchors.take(progress.step, config.anchors):
        live_ND = torch.cat([a.hidden_AD for a in held])
        batches.append(
            ([(a.prompt, a.answer) for a in held], Distil(live_ND, forward_kl, config.anchor_weight))
        )
    loss, *anchor_loss = (float(loss_N.mean()) for loss_N in accumulate(model, adapter, batches))
    torch.nn.utils.clip_grad_norm_(adapter.parameters(), config.clip)
    optimizer.step()
    optimizer.zero_grad()
    adapter.refresh()
    done = time.perf_counter()

    def report(after: Progress) -> StepReport:
        accuracy = after.history[-1][1] if after.history else None
        speed = len(sampled) / (done - started)
        times = (rolled - started, taught - rolled, done - taught)
        return StepReport(after.step, config.steps, loss, sum(anchor_loss), speed, accuracy, *times)

    return report


def batch(drills: Sequence[Drill], turn: int, size: int, seed: int) -> list[Drill]:
    """The drills of a course's n-th turn: endless shuffled epochs, a function of the turn so that
    resuming needs no state."""
    out: list[Drill] = []
    for i in range(turn * size, (turn + 1) * size):
        order = list(range(len(drills)))
        random.Random(f"{seed}:{i // len(drills)}").shuffle(order)
        out.append(drills[order[i % len(drills)]])
    return list({d.id: d for d in out}.values())


def _seed(seed: int, step: int) -> int:
    return (seed * 1_000_003 + step) * 1_009
