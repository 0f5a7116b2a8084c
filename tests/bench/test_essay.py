"""A whole essay on a tiny random model: nothing is learned, but everything is measured."""

from pathlib import Path

import pytest

from bench import essay
from bench.cells import Cells
from bench.learners import Weights
from nightschool.config import Config
from nightschool.errors import BadRequest
from nightschool.models.hf import HFModel


@pytest.mark.slow
def test_an_essay_measures_every_cell_once_and_goes_on_where_it_was(
    roomy: HFModel, small: Config, tmp_path: Path
) -> None:
    rules, suites = ("context", "notes", "compact", "opsd", "sft, lr 5e-4"), ("payments", "triage")
    told: list[str] = []

    def run(rules: tuple[str, ...]) -> Cells:
        selection = essay.Selection(rules, suites, (0,), quick=True)
        return essay.run(roomy, small, selection, tmp_path, told.append)

    run(rules[:3])
    assert len(told) == 6
    cells = run(rules)
    assert len(told) == len(cells.rows) == 10
    assert run(rules).rows == cells.rows
    assert len(told) == 10  # nothing was done again
    for cell in cells.rows:
        assert 0 <= cell["unseen"] <= 1
        assert (cell["earlier"] is None) == (cell["place"] == 0)
        assert cell["kl_to_base"] >= 0
    opsd = next(cells.select(rule="opsd", place=1))
    assert opsd["steps"] == 2
    assert opsd["sparsity"] < 1
    assert opsd["adapter_bits_per_session_token"] > 0
    assert Weights(roomy, tmp_path / "homes" / "opsd-0", small).version == "nightschool@2"


def test_a_quick_essay_takes_fewer_rows_unless_some_are_named() -> None:
    quick = essay.select(None, None, 2, quick=True)
    assert (quick.rules, quick.suites) == (list(essay.QUICK_RULES), list(essay.QUICK_SUITES))
    assert essay.select(["opsd", "sft, lr 1e-4"], ["tools"], 1, quick=True).rules == ["opsd", "sft, lr 1e-4"]
    with pytest.raises(BadRequest, match="there is no 'opds'"):
        essay.select(["opds"], None, 1, quick=False)
