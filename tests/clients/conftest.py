"""Both servers, and each client's row once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.clients.report import table
from tests.clients.rows import ENVIRONMENTS, Cell, Client, row, servers, write


@pytest.fixture(scope="session")
def cells_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Client], dict[str, Cell]]]:
    """The cells of a client, whose script runs the first time."""
    if not ENVIRONMENTS.is_dir():
        pytest.fail(f"{ENVIRONMENTS} does not exist: `make test-clients` creates it")
    rows: dict[str, dict[str, Cell]] = {}
    with servers(tmp_path_factory.mktemp("clients")) as addresses:

        def cells(client: Client) -> dict[str, Cell]:
            if client.name not in rows:
                rows[client.name] = row(client, addresses)
                write({client.name: rows[client.name]})
            return rows[client.name]

        yield cells


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in table():
        terminalreporter.write_line(line)
