"""The command line. Thin: every command opens what it needs, calls one function and prints the result.

Settings go with any command: `--learn.lr 1e-4` (docs/settings.md). Nothing here imports torch at the top.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from nightschool import __version__
from nightschool.config import Config, home, load
from nightschool.errors import BadRequest, ConfigError, NightschoolError, NotFound, NothingToLearn
from nightschool.store import Store
from nightschool.types import BASE, LIVE, Feedback, Rating

app = typer.Typer(
    name="nightschool",
    help="Sessions you liked, distilled into the weights of your model overnight.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
SessionId = Annotated[str, typer.Argument(help="A session's id, as `nightschool sessions` lists them.")]
_SETTING = re.compile(r"--((?:model|serve|night|learn|gate)\.[a-z_]+)(?:=(.*))?", re.DOTALL)
_overrides: dict[str, str] = {}

PROMOTED, REJECTED, USAGE, NOTHING, FAILED = 0, 1, 2, 3, 4  # exit codes


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        arguments = _take_settings(sys.argv[1:])
        app(arguments)
    except NightschoolError as e:
        err.print(f"error: {e}", style="red", markup=False, soft_wrap=True)
        usage = isinstance(e, BadRequest | ConfigError | NotFound)
        sys.exit(NOTHING if isinstance(e, NothingToLearn) else USAGE if usage else FAILED)
    except KeyboardInterrupt:
        err.print("stopped")
        sys.exit(130)
    sys.exit(0)


def _take_settings(arguments: list[str]) -> list[str]:
    """Move `--section.key value` out of the arguments into the settings. Raises ConfigError."""
    rest = iter(arguments)
    kept = []
    for argument in rest:
        match = _SETTING.fullmatch(argument)
        if not match:
            kept.append(argument)
            continue
        value = match[2] if match[2] is not None else next(rest, None)
        if value is None:
            raise ConfigError(f"{argument} needs a value")
        _overrides[match[1]] = value
    return kept


def _config() -> Config:
    return load(_overrides)


def _store() -> closing[Store]:
    return closing(Store.open(home()))


def _print_json(data: Any) -> None:
    print(json.dumps(data, indent=2, ensure_ascii=False))


def _version(show: bool) -> None:
    if show:
        print(f"nightschool {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sessions you liked, distilled into the weights of your model overnight."""


# By day


@app.command()
def serve() -> None:
    """Serve the model on an OpenAI-compatible endpoint (--serve.host, --serve.port, --model.id)."""
    from nightschool import day

    day.run(_config(), home())


@app.command()
def chat(
    url: Annotated[
        str | None, typer.Option(help="A running server's address, such as http://127.0.0.1:8420.")
    ] = None,
) -> None:
    """Chat in the terminal: /good, /bad WHY, /undo and /dream are commands, Ctrl-D ends."""
    from nightschool import chat as terminal

    terminal.run(_config(), url, out)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="One session a line, as JSON.")], as_json: Json = False
) -> None:
    """Import sessions from FILE.jsonl; importing twice changes nothing."""
    from nightschool.serve.importing import import_jsonl

    with _store() as store, _read(file) as lines:
        report = import_jsonl(store, lines)
    if as_json:
        bad = [{"line": n, "reason": reason} for n, reason in report.bad]
        _print_json({"new": report.new, "unchanged": report.unchanged, "bad": bad})
    else:
        for n, reason in report.bad:
            err.print(f"line {n}: {reason}", style="red", markup=False, soft_wrap=True)
        out.print(f"{report.new} new, {report.unchanged} unchanged, {len(report.bad)} bad")
    if report.bad:
        raise typer.Exit(FAILED)


def _read(file: Path) -> Any:
    try:
        return file.open("rb")
    except OSError as e:
        raise BadRequest(f"cannot read {file}: {e.strerror}") from e


@app.command()
def sessions(as_json: Json = False) -> None:
    """List the recorded sessions, newest first."""
    with _store() as store:
        rows, skipped = store.sessions.all(), store.sessions.skipped()
        live = {s for v in store.versions.lineage(store.versions.live()) for s in v.sessions}
    if as_json:
        _print_json([_session_json(s, s.id in live) for s in rows])
        return
    table = Table("session", "turns", "rating", "learned", "begins with", box=None)
    for s in rows:
        first = next((m.content for m in s.messages if m.role == "user"), "")
        learned = "yes" if s.id in live else ""
        table.add_row(s.id, str(len(s.messages)), s.rating or "", learned, first[:60].replace("\n", " "))
    out.print(table)
    if skipped:
        out.print(f"{len(skipped)} not recorded, the last one: {skipped[0].reason}", markup=False)


def _session_json(s: Any, learned: bool) -> dict[str, Any]:
    return {
        "id": s.id,
        "user": s.user,
        "source": s.source,
        "created_at": s.created_at,
        "rating": s.rating,
        "comment": s.comment,
        "learned": learned,
        "messages": [m.to_json() for m in s.messages],
    }


def _rate(session_id: str, rating: Rating, comment: str | None, as_json: bool) -> None:
    with _store() as store:
        store.feedback.rate(Feedback(f"fb_{uuid.uuid4().hex[:16]}", session_id, rating, comment))
    if as_json:
        _print_json({"session": session_id, "rating": rating, "comment": comment})
    else:
        then = "it will be learned in the next dream"
        if rating == "bad":
            then = "what was wrong will be learned" if comment else "no dream may bring its answers back"
        out.print(f"{session_id} is {rating}: {then}")


Comment = Annotated[str | None, typer.Option(help="Why.")]


@app.command()
def good(session: SessionId, comment: Comment = None, as_json: Json = False) -> None:
    """Thumbs up: the next dream learns this session."""
    _rate(session, "good", comment, as_json)


@app.command()
def bad(session: SessionId, comment: Comment = None, as_json: Json = False) -> None:
    """Thumbs down. With --comment WHY the next dream learns from it, else its answers guard against it."""
    _rate(session, "bad", comment, as_json)


@app.command()
def undo(session: SessionId, as_json: Json = False) -> None:
    """Take the newest rating of a session back."""
    with _store() as store:
        store.sessions.get(session)
        taken = store.feedback.retract_rating(session)
    if as_json:
        _print_json({"session": session, "retracted": taken.rating if taken else None})
    else:
        out.print(f"took back {taken.rating!r}" if taken else "there was no rating to take back")


# By night


@app.command()
def dream(
    sessions: Annotated[
        list[str] | None, typer.Argument(help="Liked sessions; without any, all that are not learned yet.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Distil liked sessions into the weights. Exit 0: promoted, 1: rejected, 3: nothing new."""
    from nightschool import bedside

    outcome = bedside.dream(_config(), home(), sessions or (), err if as_json else out)
    if as_json:
        _print_json(outcome.to_json())
    else:
        bedside.print_outcome(outcome, out)
    raise typer.Exit(PROMOTED if outcome.version else REJECTED)


@app.command("eval")
def eval_(
    cases: Annotated[Path, typer.Argument(help="One case a line, as JSON.")],
    version: Annotated[str, typer.Option(help="live, base or NAME@N.")] = LIVE,
    with_session: Annotated[str | None, typer.Option(help="Put this session in the context.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 128,
    as_json: Json = False,
) -> None:
    """Answer the cases of CASES.jsonl greedily and check the answers."""
    from nightschool.checks import read_cases
    from nightschool.serve.wire import parse_messages

    with _store() as store, _read(cases) as lines:
        read = read_cases(lines, parse_messages)
        name = store.versions.live() if version == LIVE else version
        directory = None if name == BASE else Path(store.versions.get(name).path)
        session = store.sessions.get(with_session) if with_session else None
    from nightschool.evaluate import evaluate
    from nightschool.models import hf
    from nightschool.versions import files

    model = hf.load(_config().model)
    if directory:
        files.verify(directory)
        model.load(name, directory)
    result = evaluate(model, read, name, max_tokens, session)
    if as_json:
        _print_json(result)
        return
    for case in result["cases"]:
        out.print(f"{'pass' if case['passed'] else 'FAIL'}  {case['id']}: {case['answer']}", markup=False)
    for group, numbers in result["by_group"].items():
        out.print(f"{group}: {numbers['accuracy']:.3f} of {numbers['n']}", markup=False)
    out.print(f"accuracy {result['accuracy']:.3f} of {result['n']} ({name})")


@app.command()
def lessons(session: SessionId, as_json: Json = False) -> None:
    """Show what a dream would practise of SESSION, what it would not, and why."""
    from nightschool import syllabus

    seats = syllabus.look(_config(), home(), session)
    _print_json(seats) if as_json else syllabus.show(seats, out)


# Versions


@app.command()
def versions(as_json: Json = False) -> None:
    """List all versions; the live one is marked."""
    with _store() as store:
        live, rows, refusal = store.versions.live(), store.versions.all(), store.versions.refusal()
    if as_json:
        refused = vars(refusal) if refusal else None
        _print_json({"live": live, "versions": [vars(v) for v in rows], "refused": refused})
        return
    table = Table("", "version", "parent", "sessions", "created", box=None)
    table.add_row("*" if live == BASE else "", BASE, "", "", "")
    for v in rows:
        table.add_row(
            "*" if v.name == live else "", v.name, v.parent, " ".join(v.sessions), v.created_at[:19]
        )
    out.print(table)
    if refusal:
        out.print(f"{refusal.version} was refused: {refusal.detail}", style="red", markup=False)


@app.command()
def rollback(
    version: Annotated[str | None, typer.Argument(help="base or NAME@N; else the live one's parent.")] = None,
    as_json: Json = False,
) -> None:
    """Go back to an earlier version; the running server follows at once."""
    from nightschool.versions import files

    with _store() as store:
        live = store.versions.live()
        if version is None and store.versions.refusal():
            version = live  # what answers anyway, and from now on is meant to
        if version is None and live == BASE:
            raise BadRequest("the base model is live: there is nothing to go back to")
        target = version or store.versions.get(live).parent
        if target != BASE:
            files.verify(Path(store.versions.get(target).path))
        store.versions.point_to(target, expect=live)
    _print_json({"live": target, "was": live}) if as_json else out.print(f"{target} is live (was {live})")


@app.command()
def export(
    version: Annotated[str, typer.Argument(help="NAME@N, or live.")],
    directory: Annotated[Path, typer.Argument(help="A new directory.")],
    as_json: Json = False,
) -> None:
    """Copy a version as a PEFT directory that vLLM, SGLang and transformers load."""
    from nightschool.versions import files

    with _store() as store:
        name = store.versions.live() if version == LIVE else version
        if name == BASE:
            raise BadRequest("the base model is no version: there is nothing to export")
        files.export(Path(store.versions.get(name).path), directory)
    _print_json({"version": name, "directory": str(directory)}) if as_json else out.print(
        f"{name} is in {directory}"
    )


# First steps


@app.command()
def demo(as_json: Json = False) -> None:
    """A whole day and night with the embedded model, in a temporary home."""
    from nightschool import demo as tour

    tour.run(_config(), err if as_json else out, as_json=as_json)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check machine, model, store and disk; say how to fix what is wrong."""
    from nightschool import doctor as checkup

    findings = checkup.examine(_config(), home())
    if as_json:
        _print_json([vars(f) for f in findings])
    else:
        for f in findings:
            mark = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]FAIL[/]"}[f.state]
            out.print(f"{mark} {f.what}: ", end="")
            out.print(f.detail + (f" -> {f.fix}" if f.fix else ""), markup=False, soft_wrap=True)
    if any(f.state == "fail" for f in findings):
        raise typer.Exit(FAILED)
