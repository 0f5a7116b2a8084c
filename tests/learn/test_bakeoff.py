"""`auto`: the best rule goes on from where it was."""

from pathlib import Path

import pytest

from nightschool.config import AutoConfig
from nightschool.learn import bakeoff
from nightschool.learn.bakeoff import CANDIDATES
from nightschool.learn.rule import RuleContext
from nightschool.learn.student import Progress, Student
from nightschool.learn.trainer import Practice
from nightschool.models.hf import HFModel
from nightschool.types import BASE
from tests.learn.conftest import QUICK, pool, rehearsal


@pytest.mark.parametrize("best", CANDIDATES)
def test_the_best_candidate_goes_on_from_its_own_checkpoint(
    tiny: HFModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, best: str
) -> None:
    """Each training leaves its steps in its checkpoint; the winner's last one finds those of its trial."""
    calls: list[tuple[int, int]] = []
    names = iter([*CANDIDATES, best])

    def train(
        context: RuleContext, rule: object, practice: Practice, student: Student, steps: int, report: object
    ) -> Progress:
        calls.append((student.progress.step, steps))
        student.progress.step = steps
        student.progress.best_accuracy = 0.9 if next(names) == best else 0.5
        student.save()
        return student.progress

    monkeypatch.setattr(bakeoff, "train", train)
    config = QUICK.model_copy(update={"auto": AutoConfig(bakeoff_steps=2)})
    context = RuleContext(tiny, BASE, config)
    practice = Practice([], pool(tiny), rehearsal(tiny), lambda: [])
    adapter = tiny.fresh_adapter(2, 0)
    progress = bakeoff.bakeoff(context, practice, adapter, tmp_path, lambda _: None)
    assert calls == [*[(0, 2)] * len(CANDIDATES), (2, config.steps)]
    assert progress.rule == best


def test_of_equals_the_cheapest_wins(tiny: HFModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bakeoff, "train", lambda *_: Progress(best_accuracy=0.5))
    practice = Practice([], pool(tiny), rehearsal(tiny), lambda: [])
    progress = bakeoff.bakeoff(
        RuleContext(tiny, BASE, QUICK), practice, tiny.fresh_adapter(2, 0), tmp_path, lambda _: None
    )
    assert progress.rule == CANDIDATES[0]
