"""What all groups of commands share: consoles, exit codes, options, and opening the store and files."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Console

from nightschool.cli.text import as_json
from nightschool.config import Config, home, load
from nightschool.errors import BadRequest
from nightschool.store import Store

PROMOTED, REJECTED, USAGE, NOTHING, FAILED = 0, 1, 2, 3, 4  # exit codes

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
SessionId = Annotated[str, typer.Argument(help="A session's id, as `nightschool sessions` lists them.")]


def config(context: typer.Context) -> Config:
    """All settings, including those on the command line. Raises ConfigError."""
    return load(context.obj)


def open_store() -> closing[Store]:
    """The store of this home, closed when the `with` block ends. Raises StoreError."""
    return closing(Store.open(home()))


def open_file(file: Path) -> BinaryIO:
    """Open a file that the user named. Raises BadRequest if it cannot be read."""
    try:
        return file.open("rb")
    except OSError as e:
        raise BadRequest(f"cannot read {file}: {e.strerror}") from e


def print_json(data: Any) -> None:
    """Print data as JSON on standard output, for other programs."""
    print(as_json(data))
