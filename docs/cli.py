"""Writes docs/cli.md from the code: `python -m docs.cli`. A test compares the two."""

from collections.abc import Iterator
from pathlib import Path

import typer
from typer.core import TyperCommand

from nightschool.cli.main import app

_HEAD = """# The command line

`nightschool COMMAND --help` prints the same. Settings go with any command, such as `--learn.lr 1e-4`: see
[settings.md](settings.md). Exit codes: 0 done (a dream: promoted), 1 the gate rejected a dream, 2 wrong
usage, 3 there was nothing to learn, 4 something failed.
"""
_WIDTH = 100  # characters


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(f"\n## {name}\n\n```\n{text}\n```\n" for name, text in helps())


def helps() -> Iterator[tuple[str, str]]:
    """Every command and its help, as plain text."""
    group = typer.main.get_group(app)
    context = group.make_context("nightschool", [], resilient_parsing=True, terminal_width=_WIDTH)
    for name, command in group.commands.items():
        assert isinstance(command, TyperCommand)
        command.rich_markup_mode = None  # boxes would be as wide as the terminal
        inner = typer.Context(command, parent=context, info_name=name, terminal_width=_WIDTH)
        yield f"nightschool {name}", command.get_help(inner)


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page())
