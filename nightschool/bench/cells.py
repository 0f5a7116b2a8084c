"""A table that grows cell by cell on the disk, so that a stopped run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nightschool.errors import BadRequest


class Cells:
    """One JSON object a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        try:
            self.rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
        except ValueError as e:
            raise BadRequest(
                f"{path} holds a line that is not valid JSON: mend it, or name another folder"
            ) from e

    def add(self, cell: dict[str, Any]) -> None:
        """Durable when this returns."""
        with self.path.open("a") as f:
            f.write(json.dumps(cell) + "\n")
        self.rows.append(cell)

    def of(self, **wanted: Any) -> Iterator[dict[str, Any]]:
        """The cells that have these values."""
        return (cell for cell in self.rows if all(cell.get(k) == v for k, v in wanted.items()))

    def has(self, **wanted: Any) -> bool:
        return any(True for _ in self.of(**wanted))
