"""Cells on the disk, the metrics of a stream, and what is shown of both."""

from pathlib import Path
from typing import Any

import pytest

from nightschool.bench import report
from nightschool.bench.cells import Cells
from nightschool.bench.stream import metrics
from nightschool.errors import BadRequest


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


def test_a_table_survives_its_process(tmp_path: Path) -> None:
    cells = Cells(tmp_path / "deep" / "cells.jsonl")
    cells.add(CELLS[0])
    again = Cells(cells.path)
    assert again.rows == [CELLS[0]]
    assert again.has(rule="opsd", suite="payments", seed=0)
    assert not again.has(rule="opsd", suite="payments", seed=1)
    cells.path.write_text("{half")
    with pytest.raises(BadRequest, match="not valid JSON"):
        Cells(cells.path)


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


def night(i: int, *accuracy: float, base: float = 0.1) -> dict[str, Any]:
    return {
        "order": 0,
        "night": i,
        "name": f"n{i}",
        "base": base,
        "in_context": 0.9,
        "accuracy": list(accuracy),
        "kl_to_base": 0.01 * (i + 1),
        "seconds": 5.0,
    }


def test_what_is_kept_and_what_comes_for_free() -> None:
    # a[0] = (.8, .2 before it is learned), a[1] = (.7, .9, .3), a[2] = (.6, 1, .8)
    found = metrics([night(0, 0.8, 0.2), night(1, 0.7, 0.9, 0.3), night(2, 0.6, 1.0, 0.8)])
    assert found["ACC"] == pytest.approx((0.6 + 1.0 + 0.8) / 3)
    assert found["BWT"] == pytest.approx(((0.6 - 0.8) + (1.0 - 0.9)) / 2)
    assert found["FWT"] == pytest.approx(((0.2 - 0.1) + (0.3 - 0.1)) / 2)
    assert found["worst_forgotten"] == pytest.approx(0.2)
    assert found["kl_to_base"] == 0.03
    assert metrics([night(0, 0.8, 0.2)])["ACC"] == 0.8


def test_plots_and_pages_are_written(tmp_path: Path) -> None:
    report.plot_rules(CELLS, tmp_path / "rules.svg")
    report.plot_stream([{"what": "base", "accuracy": []}, night(0, 0.8, 0.2)], tmp_path / "stream.svg")
    assert (tmp_path / "rules.svg").read_text().count("opsd")
    assert (tmp_path / "stream.svg").stat().st_size > 1000
    data = {
        "command": "nightschool bench essay",
        "machine": "two cores",
        "date": "2026-11-25",
        "cells": CELLS,
    }
    report.write(tmp_path, "essay", data, {"Unseen": report.by_suite(CELLS, "unseen")})
    assert "| opsd | 0.70 ± 0.14 | 0.40 |" in (tmp_path / "essay.md").read_text()
