from pathlib import Path

import pytest

from bench.cells import Cells
from nightschool.errors import BadRequest


def test_a_table_survives_its_process(tmp_path: Path) -> None:
    cells = Cells(tmp_path / "deep" / "cells.jsonl")
    cells.add({"rule": "opsd", "seed": 0, "unseen": 0.8})
    again = Cells(cells.path)
    assert again.rows == cells.rows
    assert again.has(rule="opsd", seed=0)
    assert not again.has(rule="opsd", seed=1)
    cells.path.write_text("{half")
    with pytest.raises(BadRequest, match="not valid JSON"):
        Cells(cells.path)
