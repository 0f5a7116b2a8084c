"""The one training loop. It does not know which rule it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch

from nightschool.config import LearnConfig
from nightschool.engines.base import PromptAnswer
from nightschool.learn import checkpoint
from nightschool.learn.examples import Course, Example
from nightschool.learn.losses import forward_kl
from nightschool.learn.objectives import Distil, Imitate, LossBatch, accumulate
from nightschool.learn.replay import AnchorPool, Rehearsal
from nightschool.learn.rules.common import Rollout, Rule
from nightschool.models.hf import HFModel
from nightschool.models.lora import Adapter
from nightschool.seeds import shuffled

NEARLY = 0.9  # share of held-back practice from which more steps are not worth much
STUDENT = "student"  # the name under which the learning adapter answers


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
    best_step: int = 0  # the one that is kept
    best_accuracy: float = -1.0
    history: list[tuple[int, float]] = field(default_factory=list)  # (step, accuracy held back)
    tokens: int = 0  # sampled by the student
    rule: str = ""  # that `auto` chose
    share: float = 1.0  # of the way from the start that is kept (`learn.interpolate`)

    @property
    def kept_accuracy(self) -> float:
        """What was measured at the step that is kept."""
        return dict(self.history)[self.best_step]


Report = Callable[[StepReport], None]
Measure = Callable[[], Sequence[bool]]  # what of the practice that is held back STUDENT gets right


def train(
    model: HFModel,
    rule: Rule,
    courses: Sequence[Course],
    anchors: AnchorPool,
    rehearsal: Rehearsal,
    adapter: Adapter,
    config: LearnConfig,
    *,
    measure: Measure,
    report: Report,
    folder: Path,
) -> Progress:
    """Train `adapter` in place and leave it at the last step that, but for chance, was as good as the best
    one measured: its anchors held longest. Resumes from `folder`.

    What is measured and kept is the moving average of the weights, which is steadier than they are at any one
    step (Polyak averaging, as in arXiv 1703.01780).
    """
    adapter.trainable(True)
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=config.lr, weight_decay=0.0)
    run = _Run(
        model, rule, courses, anchors, rehearsal, config, adapter, optimizer, adapter.copy(), Progress()
    )
    best, progress = adapter.copy(), run.progress
    if saved := checkpoint.load(folder, [adapter, run.average, best], optimizer):
        progress = run.progress = Progress(**{**saved, "history": [(s, a) for s, a in saved["history"]]})
    while not finished(progress, config):
        steps = range(progress.step, min(progress.step + config.round_steps, config.steps))
        model.publish(STUDENT, adapter)
        for done in run.round(steps):
            if progress.step > steps[-1]:
                run.average.refresh()
                model.publish(STUDENT, run.average)
                right = measure()
                accuracy = accuracy_of(right)
                progress.history.append((progress.step, accuracy))
                progress.best_accuracy = max(progress.best_accuracy, accuracy)
                if as_good(accuracy, progress.best_accuracy, len(right)):
                    progress.best_step, best = progress.step, run.average.copy()
            report(replace(done, accuracy=progress.history[-1][1] if progress.history else None))
        checkpoint.save(folder, asdict(progress), [adapter, run.average, best], optimizer)
    adapter.trainable(False)
    adapter.approach(best, 1.0)
    adapter.refresh()
    model.publish(STUDENT, adapter)
    return progress


def accuracy_of(right: Sequence[bool]) -> float:
    """Of what was measured, the share that is right."""
    return sum(right) / max(1, len(right))


def as_good(accuracy: float, best: float, count: int) -> bool:
    """Whether `accuracy` is within one standard error of the `best`, both of `count` requests (Breiman et
    al., Classification and Regression Trees, 1984, section 3.4.3). By the rule of succession, the true share
    behind the best is taken for (right + 1) / (count + 2): all of a few right is no certainty."""
    true = (best * count + 1) / (count + 2)
    return accuracy >= best - math.sqrt(true * (1 - true) / (count + 2))


def finished(progress: Progress, config: LearnConfig) -> bool:
    """At the last step, when everything held back is right twice in a row, or when nearly everything was,
    still is, and three measurements brought nothing new. What is far from right may yet come, and what was
    lost on the way (of earlier lessons, say) may come back: both have all the steps."""
    if progress.step >= config.steps:
        return True
    accuracies = [accuracy for _, accuracy in progress.history]
    if accuracies[-2:] == [1.0, 1.0]:
        return True
    before = max(accuracies[:-3], default=0.0)
    return before >= NEARLY and max(accuracies[-3:]) <= before and progress.best_step == progress.step


@dataclass
class _Run:
    """What a training is made of while it runs."""

    model: HFModel
    rule: Rule
    courses: Sequence[Course]
    anchors: AnchorPool
    rehearsal: Rehearsal
    config: LearnConfig
    adapter: Adapter
    optimizer: torch.optim.Optimizer
    average: Adapter
    progress: Progress

    def round(self, steps: Sequence[int]) -> Iterator[StepReport]:
        """Sample and teach the tries of some steps together (where a token is cheapest), then take the steps
        one by one."""
        started = time.perf_counter()
        taught = [self.courses[step % len(self.courses)] for step in steps]
        examples = [
            batch(
                self.rule.eligible(course.examples, step),
                step // len(self.courses),
                self.config.batch_size,
                self.config.seed,
            )
            for step, course in zip(steps, taught, strict=True)
        ]
        tries = self.rule.rollouts(examples, STUDENT, steps[0])
        old = self.rehearsal.take(steps[0], len(steps) * self.config.anchors, self._surprise)
        rolled = time.perf_counter()
        lessons = self._teach(taught, tries)
        rollout_s, teacher_s = (rolled - started) / len(steps), (time.perf_counter() - rolled) / len(steps)
        for i, step in enumerate(steps):
            rehearsed = old[i :: len(steps)]
            yield self._step(step, tries[i], lessons[i], rehearsed, rollout_s, teacher_s)

    def _surprise(self, pairs: Sequence[PromptAnswer]) -> list[float]:
        """-log q(answer) of the student, in nats."""
        return [-sum(logprobs) for logprobs in self.model.score(pairs, STUDENT)]

    def _teach(self, taught: Sequence[Course], tries: Sequence[Sequence[Rollout]]) -> list[LossBatch]:
        """Each step's lesson. The teacher is frozen: it speaks to all of a course's steps at once."""
        lessons: dict[int, LossBatch] = {}
        for course in {id(course): course for course in taught}.values():
            at = [i for i, one in enumerate(taught) if one is course]
            lessons |= zip(at, self.rule.objectives(course, [tries[i] for i in at]), strict=True)
        return [lessons[i] for i in range(len(taught))]

    def _step(
        self,
        step: int,
        trajectories: Sequence[Rollout],
        lesson: LossBatch,
        rehearsed: Sequence[PromptAnswer],
        rollout_s: float,
        teacher_s: float,
    ) -> StepReport:
        """One update."""
        config, started = self.config, time.perf_counter()
        batches = [lesson]
        if held := self.anchors.take(step, config.anchors):
            anchored_NW = torch.cat([a.hidden_AW for a in held])
            calm = Distil(anchored_NW, forward_kl, config.anchor_weight)
            batches.append(([(a.prompt, a.answer) for a in held], calm))
        if rehearsed:
            batches.append((rehearsed, Imitate([answer for _, answer in rehearsed], config.anchor_weight)))
        losses = accumulate(self.model, STUDENT, batches)
        loss, *anchor_loss = (float(loss_N.mean()) for loss_N in losses)
        torch.nn.utils.clip_grad_norm_(self.adapter.parameters(), config.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.adapter.refresh()
        # The first steps leave the average sooner, or it would hang on to where all began.
        self.average.approach(self.adapter, 1 - min(config.ema_decay, (2 + step) / (5 + step)))
        student_s = time.perf_counter() - started
        sampled = [len(t.answer) for t in trajectories if not t.given]
        self.progress.step, self.progress.tokens = step + 1, self.progress.tokens + sum(sampled)
        return StepReport(
            step=step + 1,
            steps=config.steps,
            loss=loss,
            anchor_loss=sum(anchor_loss),
            rollouts_per_s=len(sampled) / (rollout_s + teacher_s + student_s),
            accuracy=None,
            rollout_s=rollout_s,
            teacher_s=teacher_s,
            student_s=student_s,
        )


def _id(example: Example) -> str:
    return example.id


def batch(examples: Sequence[Example], turn: int, size: int, seed: int) -> list[Example]:
    """The examples of a course's n-th turn: endless shuffled epochs, a function of the turn so that
    resuming needs no state."""
    out: list[Example] = []
    for i in range(turn * size, (turn + 1) * size):
        out.append(shuffled(examples, seed, i // len(examples), key=_id)[i % len(examples)])
    return list({d.id: d for d in out}.values())
