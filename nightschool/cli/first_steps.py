"""Commands for the first steps: `demo` and `doctor`."""

from __future__ import annotations

import typer

from nightschool.cli.common import FAILED, Json, config, err, out, print_json
from nightschool.cli.text import literal
from nightschool.config import home

app = typer.Typer()


@app.command()
def demo(context: typer.Context, as_json: Json = False) -> None:
    """Run a whole day and night with the embedded model, in a temporary home."""
    from nightschool.cli import demo as tour

    result = tour.run(config(context), err if as_json else out)
    print_json(result) if as_json else tour.print_result(result, out)
    tour.check(result)


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Check the machine, the model, the store and the disk, and say how to fix what is wrong."""
    from nightschool.cli.doctor import examine

    findings = examine(config(context), home())
    if as_json:
        print_json([vars(f) for f in findings])
    else:
        for f in findings:
            mark = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]FAIL[/]"}[f.state]
            out.print(f"{mark} {f.what}: ", end="")
            out.print(literal(f.detail + (f" -> {f.fix}" if f.fix else "")), soft_wrap=True)
    if any(f.state == "fail" for f in findings):
        raise typer.Exit(FAILED)
