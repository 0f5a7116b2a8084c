"""The stage in which the student is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nightschool.errors import DreamError
from nightschool.learn.bakeoff import bakeoff
from nightschool.learn.encoding import EncodedLesson
from nightschool.learn.interpolate import interpolate_back
from nightschool.learn.replay import AnchorPool, Rehearsal
from nightschool.learn.rule import RuleContext
from nightschool.learn.rules import make
from nightschool.learn.student import STUDENT, Progress, Student
from nightschool.learn.trainer import Practice, Report, train
from nightschool.lessons.anchors import encoded, practice_anchors
from nightschool.measure.probes import passed
from nightschool.models import lora
from nightschool.models.hf import HFModel
from nightschool.night.memory import LearnedLesson, steering_probes
from nightschool.night.queue import Plan
from nightschool.seeds import shuffled
from nightschool.types import BASE

ANCHOR_TOKENS = 32  # of the answer to an unrelated request


def learn(
    model: HFModel,
    plan: Plan,
    lessons: Sequence[EncodedLesson],
    earlier: Sequence[LearnedLesson],
    folder: Path,
    report: Report,
) -> Progress:
    """Train the student, which answers as `STUDENT` from then on. Raises DreamError where there is nothing to
    learn."""
    config = plan.config.learn
    practice = _practice(model, plan, lessons, earlier)
    context = RuleContext(model, plan.parent, config)
    adapter = start_adapter(model, plan)
    start = adapter.copy()
    if config.rule == "auto":
        progress = bakeoff(context, practice, adapter, folder, report)
    else:
        rule, student = make(config.rule, context), Student(adapter, config, folder)
        progress = train(context, rule, practice, student, config.steps, report)
    progress.share = interpolate_back(model, start, adapter, progress.kept_accuracy, practice.measure)
    return progress


def _practice(
    model: HFModel, plan: Plan, lessons: Sequence[EncodedLesson], earlier: Sequence[LearnedLesson]
) -> Practice:
    """What tonight is practised, kept and measured with. The steering probes of earlier lessons, which nobody
    ever practised, count as well: a dream is not done while something old is lost."""
    sets = [one for lesson in lessons for one in lesson.sets]
    if not sets:
        raise DreamError(
            "these sessions teach nothing that the model does not do already: "
            "`nightschool lessons SESSION` shows what was looked at"
        )
    seed = plan.config.learn.seed
    tonight = f"{seed}:{plan.parent}"  # other requests every night
    rehearsal = Rehearsal([[(p.prompt, p.answer) for p in e.practice] for e in earlier], tonight)
    new = [probe for lesson in lessons for probe in lesson.steer]
    old = [shuffled(e.steering, tonight, key=lambda probe: probe.id) for e in earlier]
    steering = [*new, *steering_probes(model, plan.parent, old, len(new))]
    return Practice(
        sets, anchor_pool(model, seed), rehearsal, measure=lambda: passed(model, steering, STUDENT)
    )


def anchor_pool(model: HFModel, seed: int) -> AnchorPool:
    """Unrelated requests, answered by the base model: were it the live version, each night's small drift
    would add to those before."""
    prompts = encoded(model, practice_anchors())
    return AnchorPool(model, BASE, prompts, max_tokens=ANCHOR_TOKENS, seed=seed)


def start_adapter(model: HFModel, plan: Plan) -> lora.Adapter:
    """The student begins as the live version, or as a fresh adapter on the base model."""
    live = model.adapter(plan.parent)
    return live.copy() if live else model.fresh_adapter(plan.config.learn.rank, plan.config.learn.seed)
