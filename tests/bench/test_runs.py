"""Whole runs of the benchmarks on a tiny random model: nothing is learned, but everything is measured."""

from pathlib import Path

import pytest

from nightschool.bench import command, essay, stream
from nightschool.bench.learners import Weights
from nightschool.bench.measures import sparsity
from nightschool.config import Config, LearnConfig, OpsdConfig
from nightschool.errors import BadRequest
from nightschool.models.hf import HFModel
from nightschool.types import BASE
from tests.conftest import tiny_net, tiny_tokenizer

LEARN = LearnConfig(
    steps=2,
    opsd=OpsdConfig(reference_steps=1),
    variations=4,
    held_back=2,
    self_asked=2,
    anchors=1,
    batch_size=2,
    round_steps=1,
    max_new_tokens=4,
    rank=2,
)
QUICK = {"variations": 4, "held_back": 2, "self_asked": 2, "steps": 2}


@pytest.fixture
def roomy() -> HFModel:
    """Bytes are many tokens, so the window must be wide."""
    net = tiny_net()
    net.config.max_position_embeddings = 8192
    return HFModel(net, tiny_tokenizer(), "tiny")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(essay, "QUICK_LEARN", QUICK)
    monkeypatch.setattr(essay, "QUICK_CASES", 2)
    monkeypatch.setattr(stream, "LEARN", QUICK)
    monkeypatch.setattr("nightschool.bench.measures.INSTRUCTIONS", (("Say yes.", "yes"),))
    monkeypatch.setattr("nightschool.bench.essay.probe_anchors", lambda: ("Hello.", "Good day."))
    monkeypatch.setattr("nightschool.bench.stream.probe_anchors", lambda: ("Hello.", "Good day."))


@pytest.mark.usefixtures("small")
def test_an_essay_measures_every_cell_once_and_goes_on_where_it_was(roomy: HFModel, tmp_path: Path) -> None:
    rules, suites = ("context", "notes", "compact", "opsd", "sft, lr 5e-4"), ("payments", "triage")
    told: list[str] = []

    def run(rules: tuple[str, ...]) -> essay.Cells:
        order = essay.Order(rules, suites, (0,), quick=True)
        return essay.run(roomy, Config(learn=LEARN), order, tmp_path, told.append)

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
    opsd = next(cells.of(rule="opsd", place=1))
    assert opsd["steps"] == 2
    assert opsd["sparsity"] < 1
    assert opsd["adapter_bits_per_session_token"] > 0
    again = Weights(roomy, tmp_path / "homes" / "opsd-0", Config(learn=LEARN))
    assert again.version == "nightschool@2"


@pytest.mark.usefixtures("small")
def test_a_stream_goes_on_where_it_was(roomy: HFModel, tmp_path: Path) -> None:
    told: list[str] = []
    for dreams in (2, 2):
        cells = stream.run(roomy, Config(learn=LEARN), dreams, 2, 0, tmp_path, told.append)
    assert len(told) == 4
    nights = list(cells.of(order=0))
    assert [len(n["accuracy"]) for n in nights] == [2, 2]  # those learned and the next one
    assert stream.metrics(nights)["nights"] == 2
    assert sorted(n["lesson"] for n in cells.of(order=1)) == [0, 1]


def test_an_adapter_that_does_nothing_changes_no_weight(roomy: HFModel) -> None:
    adapter = roomy.fresh_adapter(2, 0)
    assert sparsity(roomy, adapter) == 1.0
    for _, b in adapter.masters.values():
        b += 1.0
    assert sparsity(roomy, adapter) < 0.5
    assert BASE not in roomy.versions()


def test_an_unknown_rule_is_named(tmp_path: Path) -> None:
    from rich.console import Console

    with pytest.raises(BadRequest, match="there is no 'opds'"):
        command.essay(Config(), tmp_path, 1, "opds", None, False, Console())
