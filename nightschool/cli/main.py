"""The `nightschool` command: all groups of commands, settings as options, errors as exit codes."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from nightschool import __version__
from nightschool.cli import first_steps, night, serve, sessions, versions
from nightschool.cli.common import FAILED, NOTHING, USAGE, err
from nightschool.cli.text import literal, survive_any_encoding
from nightschool.config import load
from nightschool.errors import BadRequest, ConfigError, NightschoolError, NotFound, NothingToLearn

app = typer.Typer(
    name="nightschool",
    help="Sessions you liked, distilled into the weights of your model overnight.",
    epilog="Every command takes settings, such as `--learn.lr 1e-4`: see docs/settings.md.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (serve, sessions, night, versions, first_steps):
    app.add_typer(group.app)

_SETTING = re.compile(r"--([\w-]+(?:\.[\w-]+)+)(?:=(.*))?", re.DOTALL)  # the name of an option has no dot


def main() -> NoReturn:
    """Run the command line and exit."""
    survive_any_encoding()
    try:
        arguments, settings = take_settings(sys.argv[1:])
        app(arguments, obj=settings)
    except NightschoolError as e:
        err.print(literal(f"error: {e}", "red"), soft_wrap=True)
        usage = isinstance(e, BadRequest | ConfigError | NotFound)
        sys.exit(NOTHING if isinstance(e, NothingToLearn) else USAGE if usage else FAILED)
    except KeyboardInterrupt:
        err.print("stopped")
        sys.exit(130)
    sys.exit(0)


def take_settings(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Split arguments into those that are not settings (`--section.key value`), and the settings as
    `config.load` takes them. Raises ConfigError for a setting without a value.
    """
    rest, settings = list[str](), dict[str, str]()
    remaining = iter(arguments)
    for argument in remaining:
        match = _SETTING.fullmatch(argument)
        if not match:
            rest.append(argument)
            continue
        value = match[2] if match[2] is not None else next(remaining, None)
        if value is None:
            raise ConfigError(f"{argument} needs a value")
        settings[match[1]] = value
    return rest, settings


def _version(show: bool) -> None:
    if show:
        print(f"nightschool {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sessions you liked, distilled into the weights of your model overnight."""
    load(context.obj)  # a wrong setting, in the environment, too, is an error with every command
