"""Commands about sessions: `import`, `sessions`, `good`, `bad`, `undo` and `lessons`."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from nightschool.cli.common import (
    FAILED,
    Json,
    SessionId,
    config,
    err,
    open_file,
    open_store,
    out,
    print_json,
)
from nightschool.cli.text import literal
from nightschool.config import home
from nightschool.types import Feedback, Rating, Session

app = typer.Typer()
Comment = Annotated[str | None, typer.Option(help="Why it is good or bad.")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON lines, one session per line, or a JSON array.")],
    as_json: Json = False,
) -> None:
    """Import sessions from FILE.jsonl: ours, OpenAI's fine-tuning form, Hugging Face's messages or ShareGPT.
    Importing a session again changes nothing."""
    from nightschool.serve.importing import import_sessions

    with open_store() as store, open_file(file) as lines:
        report = import_sessions(store, lines)
    if as_json:
        bad = [{"line": n, "reason": reason} for n, reason in report.bad]
        print_json({"new": report.new, "unchanged": report.unchanged, "bad": bad})
    else:
        for n, reason in report.bad:
            err.print(literal(f"line {n}: {reason}", "red"), soft_wrap=True)
        out.print(f"{report.new} new, {report.unchanged} unchanged, {len(report.bad)} bad")
    if report.bad:
        raise typer.Exit(FAILED)


@app.command()
def sessions(
    helpers: Annotated[
        bool, typer.Option("--helpers", help="Also those that clients made by themselves, such as titles.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the recorded sessions, newest first."""
    with open_store() as store:
        rows, skipped = store.sessions.all(helpers=helpers), store.sessions.skipped()
        live = {s for v in store.versions.lineage(store.versions.live()) for s in v.sessions}
    if as_json:
        print_json([_session_json(s, s.id in live) for s in rows])
        return
    table = Table("session", "turns", "rating", "learned", "begins with", box=None)
    for s in rows:
        first = next((m.content for m in s.messages if m.role == "user"), "")
        learned = "yes" if s.id in live else ""
        begins = literal(first[:60].replace("\n", " "))
        table.add_row(literal(s.id), str(len(s.messages)), s.rating or "", learned, begins)
    out.print(table)
    if skipped:
        out.print(literal(f"{len(skipped)} not recorded, the last because {skipped[0].reason}"))


def _session_json(s: Session, learned: bool) -> dict[str, Any]:
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


@app.command()
def good(session: SessionId, comment: Comment = None, as_json: Json = False) -> None:
    """Thumbs up: the next dream learns this session."""
    _rate(session, "good", comment, as_json)


@app.command()
def bad(session: SessionId, comment: Comment = None, as_json: Json = False) -> None:
    """Thumbs down: the next dream learns from the comment; without one, no dream may repeat its answers."""
    _rate(session, "bad", comment, as_json)


def _rate(session_id: str, rating: Rating, comment: str | None, as_json: bool) -> None:
    with open_store() as store:
        store.feedback.rate(Feedback(f"fb_{uuid.uuid4().hex[:16]}", session_id, rating, comment))
    if as_json:
        print_json({"session": session_id, "rating": rating, "comment": comment})
    else:
        consequence = "it will be learned in the next dream"
        if rating == "bad":
            consequence = (
                "what was wrong will be learned" if comment else "no dream may bring back its answers"
            )
        out.print(literal(f"{session_id} is {rating}: {consequence}"), soft_wrap=True)


@app.command()
def undo(session: SessionId, as_json: Json = False) -> None:
    """Take back the newest rating of a session."""
    with open_store() as store:
        store.sessions.get(session)
        retracted = store.feedback.retract_rating(session)
    if as_json:
        print_json({"session": session, "retracted": retracted.rating if retracted else None})
    else:
        out.print(f"took back {retracted.rating!r}" if retracted else "there was no rating to take back")


@app.command()
def lessons(context: typer.Context, session: SessionId, as_json: Json = False) -> None:
    """Show what was understood of SESSION, and what a dream would practise of it, what not and why."""
    from nightschool.cli.preview import preview, print_preview

    with err.status("Loading the model, reading the session ..."):
        report = preview(config(context), home(), session)
    print_json(report) if as_json else print_preview(report, out)
