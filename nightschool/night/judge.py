"""The stage in which live version and candidate are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nightschool.config import GateConfig
from nightschool.gate.verdict import Measured, judge
from nightschool.learn.encoding import EncodedLesson
from nightschool.learn.student import STUDENT
from nightschool.lessons.anchors import encoded, probe_anchors
from nightschool.measure.drift import Drift
from nightschool.measure.probes import passed
from nightschool.models.hf import HFModel
from nightschool.night.memory import LearnedLesson
from nightschool.night.queue import Plan
from nightschool.types import Probe, Verdict

Gate = Callable[[GateConfig, Callable[[], Measured]], Verdict]  # calls the second to measure, if at all


def gated(config: GateConfig, measure: Callable[[], Measured]) -> Verdict:
    """The gate. It fails closed."""
    return judge(config, measure())


def ungated(config: GateConfig, measure: Callable[[], Measured]) -> Verdict:
    """No gate: everything is promoted and nothing measured. For benchmarks, which measure by themselves."""
    return Verdict(True, ("not gated",))


def measured(
    model: HFModel,
    plan: Plan,
    lessons: Sequence[EncodedLesson],
    earlier: Sequence[LearnedLesson],
    unwanted: Mapping[str, Sequence[Probe]],
) -> Measured:
    """Have the live version and the student answer the gate's probes, and take the student's drift."""

    def both(probes: Sequence[Probe]) -> tuple[list[bool], list[bool]]:
        return passed(model, probes, plan.parent), passed(model, probes, STUDENT)

    return Measured(
        new={lesson.lesson.session_id: both(lesson.gate) for lesson in lessons},
        earlier={old.session: both(old.probes) for old in earlier},
        unwanted={session: both(probes) for session, probes in unwanted.items()},
        kl_to_base=Drift(model, encoded(model, probe_anchors()))(STUDENT),
    )
