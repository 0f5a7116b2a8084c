"""Commands that answer requests: `serve` and `chat`."""

from __future__ import annotations

from typing import Annotated

import typer

from nightschool.cli.common import config, out
from nightschool.config import home

app = typer.Typer()


@app.command()
def serve(context: typer.Context) -> None:
    """Serve the model on an OpenAI-compatible endpoint (--serve.host, --serve.port, --model.id)."""
    from nightschool.app import run

    run(config(context), home())


@app.command()
def chat(
    context: typer.Context,
    url: Annotated[
        str | None, typer.Option(help="Address of a running server, such as http://127.0.0.1:8420.")
    ] = None,
) -> None:
    """Chat in the terminal. /good, /bad WHY, /undo and /dream are commands; Ctrl-D ends the chat."""
    from nightschool.cli import chat as terminal

    terminal.run(config(context), url, out)
