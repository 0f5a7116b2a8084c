"""The command of the night: `dream`."""

from __future__ import annotations

from typing import Annotated

import typer

from nightschool.cli import progress
from nightschool.cli.common import PROMOTED, REJECTED, Json, config, err, out, print_json
from nightschool.config import home

app = typer.Typer()


@app.command()
def dream(
    context: typer.Context,
    sessions: Annotated[
        list[str] | None,
        typer.Argument(help="Liked sessions; by default, all that have not been learned yet."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Distil liked sessions into the weights. Exit code 0: promoted, 1: rejected, 3: nothing to learn."""
    outcome = progress.dream(config(context), home(), sessions or (), err if as_json else out)
    if as_json:
        print_json(outcome.to_json())
    else:
        progress.print_outcome(outcome, out)
    raise typer.Exit(PROMOTED if outcome.version else REJECTED)
