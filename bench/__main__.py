"""`python -m bench NAME [options]`. A benchmark's module is imported when it is named: most import torch."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from bench import settings
from nightschool.errors import NightschoolError

BENCHMARKS = {
    "lessons": "What sessions are taken to teach, with the truth beside it; nothing is trained.",
    "taught": "What dreams learn of 12 of those kinds, beside dreams that practise true variations.",
    "essay": "Learning rules on five suites of office work, learned one after the other.",
    "stream": "Twenty small lessons, one a night: what is kept of each.",
    "facts": "The base model with 1 to 8 facts told in its context: how many questions it gets right.",
    "sessions": "Five short sessions, each from import to eval through the command line.",
    "curve": "Accuracy and drift against the seconds of a dream.",
    "step": "Seconds of a training step by length of the session, beside TRL's.",
    "serving": "Tokens a second and time to first token at 1 to 32 clients, beside other servers.",
    "second-turn": "Time to first token of a chat's two turns, with and without what is kept of the first.",
    "masks": "What holding an answer to a JSON schema costs a token, beside xgrammar's.",
    "disturbance": "Time to first token while the server dreams, and while it does not.",
}


def command_line(named: str | None) -> typer.Typer:
    """All benchmarks, only the `named` one with its options; its module's docstring is its help."""
    app = typer.Typer(
        help="Nightschool's benchmarks. Settings go with any of them: `--learn.lr 1e-4` (docs/settings.md).",
        rich_markup_mode="markdown",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name, summary in BENCHMARKS.items():
        if name == named:
            module = import_module(f"bench.{name.replace('-', '_')}")
            app.command(name, help=module.__doc__)(module.main)
        else:
            app.command(name, help=summary)(_not_named)
    return app


def _not_named() -> None:
    raise AssertionError("only the named benchmark is run")


def main() -> None:
    try:
        arguments = settings.take(sys.argv[1:])
        command_line(next(iter(arguments), None))(arguments, prog_name="python -m bench")
    except NightschoolError as e:
        sys.exit(f"error: {e}")


if __name__ == "__main__":
    main()
