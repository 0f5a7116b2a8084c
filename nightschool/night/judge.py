"""The stage in which live version and candidate are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nightschool.config import Config, GateConfig
from nightschool.gate.verdict import Measured, judge, least_probes, missing
from nightschool.learn.encoding import EncodedLesson
from nightschool.learn.student import STUDENT
from nightschool.lessons.anchors import encoded, probe_anchors
from nightschool.measure.drift import Drift
from nightschool.measure.probes import passed
from nightschool.models.hf import HFModel
from nightschool.night.memory import LearnedLesson
from nightschool.night.queue import Plan
from nightschool.types import Probe, Verdict


@dataclass(frozen=True)
class Gate:
    """What stands between a candidate and the live version."""

    refusal: Callable[[Config, EncodedLesson], str | None]  # why a lesson cannot be judged, if so
    verdict: Callable[[GateConfig, Callable[[], Measured]], Verdict]  # calls the second to measure, if at all


def too_little(config: Config, lesson: EncodedLesson) -> str | None:
    """Why the evidence of a lesson does not suffice to judge whether it was learned; None if it does."""
    if not lesson.parts:
        return "no exchange fits into the model's context"
    # Where the settings hold back less than that, more evidence would not help: the gate rejects.
    wanted = min(least_probes(config.gate.alpha), config.learn.held_back // 2)
    if len(lesson.gate) >= wanted:
        return None
    recorded = [p for p in lesson.lesson.practice if p.kind == "recorded" and p.expected is not None]
    exchanges = len({p.messages[-p.turns].content for p in recorded})  # each once, however many steps it has
    more = missing(len(lesson.gate), wanted, exchanges)
    return f"needs {more} more {'exchange' if more == 1 else 'exchanges'} of this kind"


# The gate fails closed.
gated = Gate(too_little, lambda config, measure: judge(config, measure()))
# No gate: everything is promoted and nothing measured. For benchmarks, which measure by themselves.
ungated = Gate(lambda *_: None, lambda *_: Verdict(True, ("not gated",)))


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
