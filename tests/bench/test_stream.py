"""A stream of nights on a tiny random model, and the metrics of one."""

from pathlib import Path
from typing import Any

import pytest

from bench import report, stream
from nightschool.config import Config
from nightschool.models.hf import HFModel


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


NIGHTS = [night(0, 0.8, 0.2), night(1, 0.7, 0.9, 0.3), night(2, 0.6, 1.0, 0.8)]


@pytest.mark.slow
def test_a_stream_goes_on_where_it_was(roomy: HFModel, small: Config, tmp_path: Path) -> None:
    told: list[str] = []
    for dreams in (2, 2):
        cells = stream.run(roomy, small, dreams, 2, 0, tmp_path, told.append)
    assert len(told) == 4
    nights = list(cells.select(order=0))
    assert [len(n["accuracy"]) for n in nights] == [2, 2]  # those learned and the next one
    assert stream.metrics(nights)["nights"] == 2
    assert sorted(n["lesson"] for n in cells.select(order=1)) == [0, 1]


def test_what_is_kept_and_what_comes_for_free() -> None:
    # a[0] = (.8, .2 before it is learned), a[1] = (.7, .9, .3), a[2] = (.6, 1, .8)
    found = stream.metrics(NIGHTS)
    assert found["ACC"] == pytest.approx((0.6 + 1.0 + 0.8) / 3)
    assert found["BWT"] == pytest.approx(((0.6 - 0.8) + (1.0 - 0.9)) / 2)
    assert found["FWT"] == pytest.approx(((0.2 - 0.1) + (0.3 - 0.1)) / 2)
    assert found["worst_forgotten"] == pytest.approx(0.2)
    assert found["kl_to_base"] == 0.03
    assert stream.metrics(NIGHTS[:1])["ACC"] == 0.8


def test_an_order_is_a_line_and_a_curve(tmp_path: Path) -> None:
    cells = [{"what": "base", "accuracy": []}, *NIGHTS]
    heads, line = stream.lines(cells)
    assert dict(zip(heads, line, strict=True))["ACC"] == "0.800"
    report.plot_stream(cells, tmp_path / "stream.svg")
    assert (tmp_path / "stream.svg").stat().st_size > 1000
