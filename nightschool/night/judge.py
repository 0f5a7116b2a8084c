"""The stage in which live version and candidate are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nightschool.config import GateConfig
from nightschool.gate.verdict import Measured, judge
from nightschool.learn.encoding import EncodedLesson
from nightschool.learn.trainer import STUDENT
from nightschool.lessons.anchors import encoded, probe_anchors
from nightschool.measure.drift import Drift
from nightschool.measure.probes import passed
from nightschool.models.hf import HFModel
from nightschool.night.memory import LearnedLesson
from nightschool.night.queue import Plan
from nightschool.types import Probe, Verdict

Gate = Callable[[GateConfig, Callable[[], Measured]], Verdict]  # it measures if it wants to


def gated(config: GateConfig, measure: Callable[[], Measured]) -> Verdict:
    """The gate. It fails closed."""
    return judge(config, measure())


def ungated(config: GateConfig, measure: Callable[[], Measured]) -> Verdict:
    """No gate, and nothing is measured: benchmarks measure by themselves."""
    return Verdict(True, ("not gated",))


def measured(
    model: HFModel,
    plan: Plan,
    rooms: Sequence[EncodedLesson],
    earlier: Sequence[LearnedLesson],
    unwanted: Mapping[str, Sequence[Probe]],
) -> Measured:
    """What the live version and the student get right of the gate's probes, and the student's drift."""

    def both(probes: Sequence[Probe]) -> tuple[list[bool], list[bool]]:
        return passed(model, probes, plan.parent), passed(model, probes, STUDENT)

    return Measured(
        new={room.lesson.session_id: both(room.gate) for room in rooms},
        earlier={lesson.session: both(lesson.probes) for lesson in earlier},
        unwanted={session: both(probes) for session, probes in unwanted.items()},
        kl_to_base=Drift(model, encoded(model, probe_anchors()))(STUDENT),
    )
