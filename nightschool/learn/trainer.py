"""The one training loop: sample, teach, update, measure, save. It does not know which rule it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nightschool.engines.base import PromptAnswer
from nightschool.errors import DreamError
from nightschool.learn.examples import Example, PracticeSet
from nightschool.learn.losses import forward_kl
from nightschool.learn.objectives import Distil, Imitate, LossBatch, accumulate
from nightschool.learn.replay import AnchorPool, Rehearsal
from nightschool.learn.rollouts import Rollout
from nightschool.learn.rule import Rule, RuleContext
from nightschool.learn.stopping import accuracy_of, as_good, finished
from nightschool.learn.student import STUDENT, Progress, Student
from nightschool.seeds import shuffled


@dataclass(frozen=True)
class StepReport:
    """What one step did; times in seconds. `anchor_loss` is that of anchors and rehearsal, `accuracy` the
    newest measurement on the steering probes."""

    step: int
    steps: int
    loss: float
    anchor_loss: float
    rollouts_per_s: float
    accuracy: float | None
    rollout_s: float
    teacher_s: float
    student_s: float


Report = Callable[[StepReport], None]
Measure = Callable[[], Sequence[bool]]  # which steering probes STUDENT gets right


@dataclass(frozen=True)
class Practice:
    """What a training works with: what is practised, what the student is to keep meanwhile, and the probes
    that say how far it is."""

    sets: Sequence[PracticeSet]
    anchors: AnchorPool
    rehearsal: Rehearsal
    measure: Measure


def train(
    context: RuleContext, rule: Rule, practice: Practice, student: Student, steps: int, report: Report
) -> Progress:
    """Train the student until `finished`, at most to step `steps`, and leave it at the last step that, but
    for chance, was as good as the best one measured: its anchors held longest.

    Answers of a round of steps are sampled together, and taught together, where a token is cheapest. Raises
    DreamError where the rule can practise nothing of this.
    """
    practice = _practicable(practice, rule)
    progress = student.progress
    while not finished(progress, steps):
        now = range(progress.step, min(progress.step + context.config.round_steps, steps))
        context.model.publish(STUDENT, student.adapter)
        began = time.perf_counter()
        taught, rollouts, rehearsed = sample(context, rule, practice, now)
        sampled = time.perf_counter()
        objectives = teach(rule, taught, rollouts)
        rollout_s, teacher_s = (s / len(now) for s in (sampled - began, time.perf_counter() - sampled))
        for i, step in enumerate(now):
            began = time.perf_counter()
            batches = [objectives[i], *_kept(context, practice, step, rehearsed[i :: len(now)])]
            losses = update(context, student, step, batches)
            student_s = time.perf_counter() - began
            own = [r for r in rollouts[i] if not r.is_reference]
            progress.step, progress.tokens = step + 1, progress.tokens + sum(len(r.answer) for r in own)
            if step + 1 == now.stop:
                measure(context, practice, student)
            report(
                StepReport(
                    step=step + 1,
                    steps=steps,
                    loss=losses[0],
                    anchor_loss=sum(losses[1:]),
                    rollouts_per_s=len(own) / (rollout_s + teacher_s + student_s),
                    accuracy=progress.accuracy,
                    rollout_s=rollout_s,
                    teacher_s=teacher_s,
                    student_s=student_s,
                )
            )
        student.save()
    student.finish(context.model)
    return progress


def sample(
    context: RuleContext, rule: Rule, practice: Practice, steps: range
) -> tuple[list[PracticeSet], list[list[Rollout]], list[PromptAnswer]]:
    """For each of a round's steps the set that is its turn and the rollouts of a batch of it, and what of
    earlier lessons is rehearsed in the whole round."""
    config, sets = context.config, practice.sets
    taught = [sets[step % len(sets)] for step in steps]
    examples = [
        draw_examples(rule.eligible(one.examples, step), step // len(sets), config.batch_size, config.seed)
        for step, one in zip(steps, taught, strict=True)
    ]
    rollouts = rule.rollouts(examples, STUDENT, steps.start)

    def nll(pairs: Sequence[PromptAnswer]) -> list[float]:
        return [-sum(logprobs) for logprobs in context.model.score(pairs, STUDENT)]

    return taught, rollouts, practice.rehearsal.take(steps.start, len(steps) * config.anchors, nll)


def teach(
    rule: Rule, taught: Sequence[PracticeSet], rollouts: Sequence[Sequence[Rollout]]
) -> list[LossBatch]:
    """Each step's objective. The teacher is frozen: it sees all steps of a set at once."""
    batches: dict[int, LossBatch] = {}
    for one in {id(one): one for one in taught}.values():
        at = [i for i, other in enumerate(taught) if other is one]
        batches |= zip(at, rule.objectives(one, [rollouts[i] for i in at]), strict=True)
    return [batches[i] for i in range(len(taught))]


def update(context: RuleContext, student: Student, step: int, batches: Sequence[LossBatch]) -> list[float]:
    """One gradient step on all objectives at once; returns each one's mean loss."""
    losses = accumulate(context.model, STUDENT, batches)
    means = [float(loss_N.mean()) for loss_N in losses]
    student.descend(step)
    return means


def measure(context: RuleContext, practice: Practice, student: Student) -> None:
    """Have the averaged weights answer the steering probes; they are kept where they are as good as any."""
    student.average.refresh()
    context.model.publish(STUDENT, student.average)
    right, progress = practice.measure(), student.progress
    accuracy = accuracy_of(right)
    progress.history.append((progress.step, accuracy))
    progress.best_accuracy = max(progress.best_accuracy, accuracy)
    if as_good(accuracy, progress.best_accuracy, len(right)):
        student.keep_average()


def draw_examples(examples: Sequence[Example], turn: int, size: int, seed: int) -> list[Example]:
    """The batch of a set's n-th turn: endless shuffled epochs, a function of the turn so that resuming needs
    no state."""
    out: list[Example] = []
    for i in range(turn * size, (turn + 1) * size):
        out.append(shuffled(examples, seed, i // len(examples), key=_id)[i % len(examples)])
    return list({e.id: e for e in out}.values())


def _id(example: Example) -> str:
    return example.id


def _practicable(practice: Practice, rule: Rule) -> Practice:
    sets = [one for one in practice.sets if rule.eligible(one.examples, 0)]
    if not sets:
        raise DreamError("this rule can practise none of these sessions: --learn.rule names another")
    return replace(practice, sets=sets)


def _kept(
    context: RuleContext, practice: Practice, step: int, rehearsed: Sequence[PromptAnswer]
) -> list[LossBatch]:
    """What a step must not lose: unrelated requests stay as they were, earlier lessons are said again."""
    weight, batches = context.config.anchor_weight, list[LossBatch]()
    if anchors := practice.anchors.take(step, context.config.anchors):
        anchored_NW: Tensor = torch.cat([a.hidden_AW for a in anchors])
        held = Distil(anchored_NW, forward_kl, weight)
        batches.append(([(a.prompt, a.answer) for a in anchors], held))
    if rehearsed:
        batches.append((rehearsed, Imitate([answer for _, answer in rehearsed], weight)))
    return batches
