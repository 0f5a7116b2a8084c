"""The stage in which the student is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nightschool.errors import DreamError
from nightschool.learn import trainer
from nightschool.learn.bakeoff import bakeoff
from nightschool.learn.encoding import EncodedLesson
from nightschool.learn.interpolate import interpolate_back
from nightschool.learn.replay import AnchorPool, Rehearsal
from nightschool.learn.rules import RULES
from nightschool.learn.rules.common import RuleContext
from nightschool.learn.trainer import STUDENT
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
    rooms: Sequence[EncodedLesson],
    earlier: Sequence[LearnedLesson],
    folder: Path,
    report: trainer.Report,
) -> trainer.Progress:
    """Train the student, which answers as `STUDENT` from then on. It is measured on the probes that steer,
    those of earlier lessons included, which nobody ever practised: a dream is not done while something old is
    lost. Raises DreamError where there is nothing to learn."""
    config = plan.config.learn
    courses = [course for room in rooms for course in room.courses]
    if not courses:
        raise DreamError(
            "these sessions teach nothing that the model does not do already: "
            "`nightschool lessons SESSION` shows what was looked at"
        )
    anchors = anchor_pool(model, config.seed)
    tonight = f"{config.seed}:{plan.parent}"  # other requests every night
    rehearsal = Rehearsal([[(p.prompt, p.answer) for p in e.practice] for e in earlier], tonight)
    steer = [probe for room in rooms for probe in room.steer]
    known = [shuffled(e.steering, tonight, key=lambda probe: probe.id) for e in earlier]
    steer += steering_probes(model, plan.parent, known, len(steer))

    def measure() -> Sequence[bool]:
        return passed(model, steer, STUDENT)

    def train(name: str, steps: int, adapter: lora.Adapter, at: Path) -> trainer.Progress:
        rule = RULES[name](RuleContext(model, plan.parent, config))
        limited = config.model_copy(update={"steps": steps})
        fit = [course for course in courses if rule.eligible(course.examples, 0)]
        if not fit:
            raise DreamError(
                f"the rule {name} can practise none of these sessions: --learn.rule names another"
            )
        return trainer.train(
            model,
            rule,
            fit,
            anchors,
            rehearsal,
            adapter,
            limited,
            measure=measure,
            report=report,
            folder=at,
        )

    student = start_adapter(model, plan)
    start = student.copy()
    if config.rule == "auto":
        progress = bakeoff(train, config, student, folder)
    else:
        progress = train(config.rule, config.steps, student, folder)
    progress.share = interpolate_back(model, start, student, progress.kept_accuracy, measure)
    return progress


def anchor_pool(model: HFModel, seed: int) -> AnchorPool:
    """Unrelated requests, answered by the base model: were it the live version, each night's small drift
    would add to those before."""
    prompts = encoded(model, practice_anchors())
    return AnchorPool(model, BASE, prompts, max_tokens=ANCHOR_TOKENS, seed=seed)


def start_adapter(model: HFModel, plan: Plan) -> lora.Adapter:
    """The student begins as the live version, or as a fresh adapter on the base model."""
    live = model.adapter(plan.parent)
    return live.copy() if live else model.fresh_adapter(plan.config.learn.rank, plan.config.learn.seed)
