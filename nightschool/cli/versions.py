"""Commands about versions: `versions`, `rollback`, `export` and `eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from nightschool.cli.common import Json, config, open_file, open_store, out, print_json
from nightschool.cli.text import literal
from nightschool.errors import BadRequest
from nightschool.models import embedded
from nightschool.types import BASE, LIVE
from nightschool.versions import files

app = typer.Typer()


@app.command()
def versions(as_json: Json = False) -> None:
    """List all versions; the live one is marked."""
    with open_store() as store:
        live, rows, refusal = store.versions.live(), store.versions.all(), store.versions.refusal()
    if as_json:
        refused = vars(refusal) if refusal else None
        print_json({"live": live, "versions": [vars(v) for v in rows], "refused": refused})
        return
    table = Table("", "version", "parent", "sessions", "created", box=None)
    table.add_row("*" if live == BASE else "", BASE, "", "", "")
    for v in rows:
        mark, learned = "*" if v.name == live else "", literal(" ".join(v.sessions))
        table.add_row(mark, literal(v.name), literal(v.parent), learned, v.created_at[:19])
    out.print(table)
    if refusal:
        out.print(literal(f"{refusal.version} was refused: {refusal.detail}", "red"))


@app.command()
def rollback(
    version: Annotated[
        str | None, typer.Argument(help="base or NAME@N; by default, the parent of the live version.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Go back to an earlier version. A running server follows at once."""
    with open_store() as store:
        live = store.versions.live()
        if version is None and store.versions.refusal():
            version = live  # it answers already; moving the pointer to it settles the refusal
        if version is None and live == BASE:
            raise BadRequest("the base model is live: there is nothing to go back to")
        target = version or store.versions.get(live).parent
        if target != BASE:
            files.verify(Path(store.versions.get(target).path))
        store.versions.point_to(target, expect=live)
    done = f"{target} is live (was {live})"
    print_json({"live": target, "was": live}) if as_json else out.print(literal(done))


@app.command()
def export(
    version: Annotated[str, typer.Argument(help="NAME@N, or live.")],
    directory: Annotated[Path, typer.Argument(help="A new directory.")],
    with_base: Annotated[
        bool,
        typer.Option("--with-base", help="Also copy the base model, and let the adapter name that copy."),
    ] = False,
    with_lessons: Annotated[
        bool,
        typer.Option(
            "--with-lessons", help="Also copy lessons.json and attest.json: texts of your sessions."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy a version as a PEFT directory that vLLM, SGLang and transformers load. It holds no text of your
    sessions unless you ask for it; but a model can be made to say what it learned."""
    with open_store() as store:
        name = store.versions.live() if version == LIVE else version
        if name == BASE:
            raise BadRequest("the base model is not a version: there is nothing to export")
        path = Path(store.versions.get(name).path)
    model_id = files.base_model(path)
    base = embedded.public_name(model_id) if model_id else None
    folder = embedded.folder(model_id) if model_id and with_base else None
    if with_base and not folder:
        raise BadRequest(f"the base model {base} is no folder here: leave --with-base out")
    files.export(path, directory, base=base, model=folder, lessons=with_lessons)
    done = f"{name} is in {directory}"
    print_json({"version": name, "directory": str(directory)}) if as_json else out.print(literal(done))


@app.command("eval")
def eval_(
    context: typer.Context,
    cases: Annotated[Path, typer.Argument(help="JSON lines, one case per line.")],
    version: Annotated[str, typer.Option(help="Version that answers: live, base or NAME@N.")] = LIVE,
    with_session: Annotated[
        str | None, typer.Option(help="Id of a session to put before every case.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 128,
    as_json: Json = False,
) -> None:
    """Answer the cases in CASES.jsonl greedily and check the answers."""
    from nightschool.measure.cases import read_cases
    from nightschool.serve.wire import parse_messages

    # What the user got wrong is reported before torch and the model are loaded.
    with open_store() as store, open_file(cases) as lines:
        to_answer = read_cases(lines, parse_messages)
        name = store.versions.live() if version == LIVE else version
        if name != BASE:
            store.versions.get(name)
        session = store.sessions.get(with_session) if with_session else None
        from nightschool.measure.evaluate import evaluate
        from nightschool.models import hf
        from nightschool.night.keep import load

        model = hf.load(config(context).model)
        load(model, store, name)
    result = evaluate(model, to_answer, name, max_tokens, session)
    if as_json:
        print_json(result)
        return
    for case in result["cases"]:
        out.print(literal(f"{'pass' if case['passed'] else 'FAIL'}  {case['id']}: {case['answer']}"))
    for group, numbers in result["by_group"].items():
        out.print(literal(f"{group}: {numbers['accuracy']:.3f} of {numbers['n']}"))
    out.print(literal(f"accuracy {result['accuracy']:.3f} of {result['n']} ({name})"))
