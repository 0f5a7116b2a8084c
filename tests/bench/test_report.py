"""What is shown and kept of a result."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench import report


def cell(rule: str, suite: str, seed: int, place: int, unseen: float, kl: float = 0.01) -> dict[str, Any]:
    return {
        "rule": rule,
        "suite": suite,
        "seed": seed,
        "place": place,
        "base": 0.0,
        "in_context": 0.8,
        "unseen": unseen,
        "adjacent": 0.5,
        "earlier": None if place == 0 else 0.75,
        "internalised": unseen / 0.8,
        "kl_to_base": kl,
        "seconds": 10.0,
    }


CELLS = [
    cell("opsd", "payments", 0, 0, 0.8),
    cell("opsd", "tools", 0, 1, 0.4, kl=0.03),
    cell("opsd", "payments", 1, 0, 0.6),
    cell("sft", "payments", 0, 0, 0.2, kl=0.5),
]


def test_one_line_a_rule_is_the_mean_over_suites_and_seeds() -> None:
    heads, opsd, sft = report.by_rule(CELLS, report.LEARNED)
    found = dict(zip(heads, opsd, strict=True))
    assert (found["cells"], found["unseen"], found["earlier"]) == ("3", "0.60", "0.75")
    cost_heads, cost, _ = report.by_rule(CELLS, report.COST)
    costs = dict(zip(cost_heads, cost, strict=True))
    assert (costs["seconds"], costs["tokens"]) == ("10", "-")
    assert dict(zip(heads, sft, strict=True))["kl_to_base"] == "0.500"


def test_rules_by_suites_have_their_spread_over_seeds() -> None:
    lines = report.by_suite(CELLS, "unseen")
    assert lines[0] == ["rule", "payments", "tools"]
    assert lines[2] == ["in context", "0.80 ± 0.00", "0.80"]
    assert lines[3] == ["opsd", "0.70 ± 0.14", "0.40"]
    assert lines[4] == ["sft", "0.20", "-"]
    assert report.markdown(lines).splitlines()[1] == "| --- | --- | --- |"


def test_rows_become_a_table_of_their_own_keys() -> None:
    assert report.by_key([{"kind": "a", "kl": 0.0123, "steps": 4}]) == [
        ["kind", "kl", "steps"],
        ["a", "0.012", "4"],
    ]


def test_a_result_is_kept_with_its_command_and_its_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "essay", "--quick"])
    report.finish({"cells": CELLS}, tmp_path / "essay", {"Unseen": report.by_suite(CELLS, "unseen")})
    data = json.loads((tmp_path / "essay.json").read_text())
    assert data["command"] == "python -m bench essay --quick"
    assert data["cells"] == CELLS
    page = (tmp_path / "essay.md").read_text()
    assert page.startswith("`python -m bench essay --quick`\n")
    assert "| opsd | 0.70 ± 0.14 | 0.40 |" in page
    assert "0.70 ± 0.14" in capsys.readouterr().out


def test_a_result_without_tables_is_printed_without_its_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report.finish({"ratio": 2.0, "rows": CELLS}, tmp_path / "step")
    printed = json.loads(capsys.readouterr().out)
    assert printed["ratio"] == 2.0
    assert "rows" not in printed
    assert not (tmp_path / "step.md").exists()
    assert json.loads((tmp_path / "step.json").read_text())["rows"] == CELLS


def test_rules_are_plotted(tmp_path: Path) -> None:
    report.plot_rules(CELLS, tmp_path / "rules.svg")
    assert (tmp_path / "rules.svg").read_text().count("opsd")
