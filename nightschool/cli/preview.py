"""`nightschool lessons`: what a dream from the live version would practise of a session."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from nightschool.config import Config
from nightschool.store import Store


def preview(config: Config, home: Path, session_id: str) -> dict[str, Any]:
    """Every practice request of a session, with its gap and, if it would not be practised, the reason.

    The gap is how much likelier the right answer is with the session in the context, in nats per token.
    Raises NotFound.
    """
    with closing(Store.open(home)) as store:
        store.sessions.get(session_id)  # so that an unknown id is an error before the model is loaded
        from nightschool.learn.encoding import encode
        from nightschool.lessons.prepare import heard, prepare
        from nightschool.models import hf
        from nightschool.night.keep import load

        model, live = hf.load(config.model), store.versions.live()
        load(model, store, live)
        judged = store.sessions.judged(session_id), store.feedback.signals(session_id)
        (one,) = heard([judged])
        lesson = prepare(one, config.learn, model, live)
        encoded = encode(model, lesson, live, config.learn)
    return {
        "session": session_id,
        "version": live,
        **encoded.report(),
        "understood": [asdict(pattern) for pattern in lesson.understood],
        "practice": [
            {
                "id": candidate.example.id,
                "kind": candidate.example.kind,
                "request": candidate.example.text,
                "prompt_tokens": len(candidate.example.student),
                "answer": model.decode(candidate.answer),
                "known": candidate.example.verifier is not None,
                "gap": round(candidate.gap, 3),
                "dropped": candidate.rejected_because,
            }
            for candidate in encoded.candidates
        ],
    }


def print_preview(report: dict[str, Any], console: Console) -> None:
    """Print what was understood of the session, then a table, the requests that would be practised first."""
    for pattern in report["understood"]:
        _print_pattern(pattern, console)
    table = Table("kind", "gap", "request", "right answer", "", box=None)
    for row in sorted(report["practice"], key=lambda s: (s["dropped"] is not None, s["kind"])):
        request = row["request"][:60].replace("\n", " ")
        answer = row["answer"].strip()[:50].replace("\n", " ") + ("" if row["known"] else " (the teacher's)")
        table.add_row(row["kind"], f"{row['gap']:.2f}", request, answer, row["dropped"] or "")
    console.print(table)
    for what, reason in report["drops"]:
        console.print(f"dropped: {what[:60]!r}: {reason}", markup=False, highlight=False)
    stretches = report["stretches"]
    if len(stretches) > 1:
        console.print(f"The session exceeds the model's context: it is taught in {len(stretches)} stretches.")
    practised = ", ".join(f"{n} {kind}" for kind, n in report["practised"].items()) or "nothing"
    console.print(f"Practised: {practised}. Held back: {report['held_back']}.", highlight=False)


def _print_pattern(pattern: dict[str, Any], console: Console) -> None:
    requests = pattern["requests"]
    lines = [f"{len(requests)} requests are answered in one way, such as: {requests[0]}"]
    lines += [f"  the answer takes {how}" for how in pattern["how"]]
    lines += [f"  so: {request}  ->  {answer}" for request, answer in pattern["twins"]]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
