"""`auto`: the best rule goes on from where it was."""

from pathlib import Path

from nightschool.config import AutoConfig
from nightschool.learn.bakeoff import CANDIDATES, bakeoff
from nightschool.learn.trainer import Progress
from nightschool.models.hf import HFModel
from nightschool.models.lora import Adapter
from tests.learn.conftest import QUICK


def test_the_best_candidate_goes_on_from_its_own_checkpoint(tiny: HFModel, tmp_path: Path) -> None:
    best = CANDIDATES[1]
    calls: list[tuple[str, int, Path]] = []

    def train(name: str, steps: int, adapter: Adapter, folder: Path) -> Progress:
        calls.append((name, steps, folder))
        return Progress(step=steps, best_accuracy=0.9 if name == best else 0.5)

    config = QUICK.model_copy(update={"auto": AutoConfig(bakeoff_steps=2)})
    progress = bakeoff(train, config, tiny.fresh_adapter(2, 0), tmp_path)
    assert [(name, steps) for name, steps, _ in calls] == [
        *((c, 2) for c in CANDIDATES),
        (best, config.steps),
    ]
    assert calls[-1][2] == calls[CANDIDATES.index(best)][2]
    assert len({folder for _, _, folder in calls}) == len(CANDIDATES)
    assert progress.rule == best


def test_of_equals_the_cheapest_wins(tiny: HFModel, tmp_path: Path) -> None:
    progress = bakeoff(
        lambda name, steps, adapter, folder: Progress(best_accuracy=0.5),
        QUICK,
        tiny.fresh_adapter(2, 0),
        tmp_path,
    )
    assert progress.rule == CANDIDATES[0]
