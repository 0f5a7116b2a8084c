"""A refactor leaves the losses of a dream as they were, whatever the rule."""

import json
from pathlib import Path

import pytest

from tests import golden


@pytest.mark.slow
def test_the_losses_are_those_of_the_golden_trace(tiny_dir: Path, tmp_path: Path) -> None:
    wanted = json.loads(golden.LOSSES.read_text())
    found, _ = golden.trace(tiny_dir, tmp_path)
    assert found.keys() == wanted.keys()
    for rule, losses in wanted.items():
        for step, (mine, its) in enumerate(zip(found[rule], losses, strict=True), 1):
            assert mine == pytest.approx(its, abs=1e-5, rel=1e-5), f"{rule}, step {step}"
