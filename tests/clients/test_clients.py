"""What each client can do with our server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.clients.rows import CLIENTS, Cell, Client


@pytest.mark.parametrize(
    ("client", "cell"),
    [pytest.param(c, cell, id=f"{c.name}/{cell}") for c in CLIENTS for cell in c.cells.split()],
)
def test_works(cells_of: Callable[[Client], dict[str, Cell]], client: Client, cell: str) -> None:
    found = cells_of(client)[cell]
    assert found.outcome == "works", found.note
