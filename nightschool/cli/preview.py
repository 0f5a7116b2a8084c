"""`nightschool lessons`: what was understood of a session, and what a dream from the live version would
practise of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nightschool.cli.text import literal
from nightschool.config import Config
from nightschool.store import Store

# What is printed at most; `--json` has all.
_LISTED = 40  # exchanges, and what is unknown
_ROWS = 4  # requests of a kind that are practised, or that are not for one reason
_LENGTH = 200  # characters of a text

_UNKNOWN = "unknown: "  # how the role of an exchange begins of which something is unknown
_KINDS = {
    "recorded": "by itself",
    "replayed": "where it was asked",
    "varied": "with other values or words",
}

Json = Mapping[str, Any]


def preview(config: Config, home: Path, session_id: str) -> dict[str, Any]:
    """What was made of each user turn of a session and how its answers are made; every practice request with
    its gap and, if it would not be practised, the reason; and why no dream would learn the session, if so.

    The gap is how much likelier the right answer is with the session in the context, in nats per token.
    Raises NotFound.
    """
    with closing(Store.open(home)) as store:
        store.sessions.get(session_id)  # so that an unknown id is an error before the model is loaded
        from nightschool.learn.encoding import encode
        from nightschool.lessons.prepare import heard, prepare
        from nightschool.models import hf
        from nightschool.night.judge import gated
        from nightschool.night.keep import load

        model, live = hf.load(config.model), store.versions.live()
        load(model, store, live)
        judged = store.sessions.judged(session_id), store.feedback.signals(session_id)
        (one,) = heard([judged])
        encoded = encode(model, prepare(one, config, model, live), live, config.learn)
        refusal = gated.refusal(config, encoded)
        if not store.sessions.teaching(among=[session_id]):
            refusal = f"nobody has said what is right in it (`nightschool good {session_id}` does)"
    return {
        "session": session_id,
        "version": live,
        "refusal": refusal,
        **encoded.report(),
        "readings": [asdict(reading) for reading in encoded.lesson.readings],
        "understood": [asdict(pattern) for pattern in encoded.lesson.understood],
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


def print_preview(report: Json, console: Console) -> None:
    """Print how the session was understood (its exchanges, how their answers are made, where the teacher is
    reliable, what is unknown), and what a dream would practise."""
    readings = report["readings"]
    _print_list("Exchanges", [(f"{i}", _exchange(r)) for i, r in enumerate(readings, 1)], console)
    for n, pattern in enumerate(report["understood"]):
        _print_list(_title(n, pattern, readings), [*_pattern(pattern)], console)
    _print_list("Teacher", [("", literal(line)) for line in _reliability(readings)], console)
    _print_list("Unknown", [("-", literal(line)) for line in _unknown(report)], console)
    _print_practice(report, console)


def _print_list(title: str, rows: Sequence[tuple[str, Text]], console: Console) -> None:
    if not rows:
        return
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", min_width=2)
    for row in rows[:_LISTED]:
        grid.add_row(*row)
    console.print(literal(title, "bold"))
    console.print(grid)
    if len(rows) > _LISTED:
        console.print(f"   and {len(rows) - _LISTED} more (--json shows all)")
    console.print()


def _exchange(reading: Json) -> Text:
    notes = [reading["role"]]
    if reading["role"].startswith(_UNKNOWN) and reading["answer"] is not None:
        notes.append("right where it was asked")
    if reading["pattern"] is not None:
        notes.append(f"pattern {reading['pattern'] + 1}")
    if reading["reliable"] is not None:
        notes.append(f"the teacher is {'right' if reading['reliable'] else 'wrong'}")
    known = reading["answer"] is not None
    answer = (_line(reading["answer"]), "green") if known else ("?", "yellow")
    parts = (_line(reading["request"]), ""), ("\n-> ", ""), answer, (f"\n{'; '.join(notes)}", "dim")
    return Text.assemble(*(literal(*part) for part in parts))


def _title(n: int, pattern: Json, readings: Sequence[Json]) -> str:
    numbers = [i for i, reading in enumerate(readings, 1) if reading["pattern"] == n]
    which = _numbered(numbers) if numbers else f"{len(pattern['requests'])} answers on the way to the last"
    return f"Pattern {n + 1}: {which}"


def _pattern(pattern: Json) -> Iterator[tuple[str, Text]]:
    """How the answers are made, and twins."""
    yield "", Text("the answer takes", "dim")
    yield from (("-", literal(how)) for how in pattern["how"])
    if pattern["twins"]:
        yield "", Text("and so to others", "dim")
    for request, answer in pattern["twins"]:
        yield "-", literal(_line(request)).append(literal(f"\n-> {_line(answer)}", "green"))


def _reliability(readings: Sequence[Json]) -> Iterator[str]:
    """What the teacher gets right, overall and by pattern, if it was asked."""
    asked = [reading for reading in readings if reading["reliable"] is not None]
    if not asked:
        return
    right = sum(reading["reliable"] for reading in asked)
    yield f"right on {right} of {len(asked)} when left out (asked again with all others in its context)"
    by_pattern = defaultdict[int | None, list[bool]](list)
    for reading in asked:
        by_pattern[reading["pattern"]].append(reading["reliable"])
    for n, found in by_pattern.items() if len(by_pattern) > 1 else ():
        yield f"{'without a pattern' if n is None else f'pattern {n + 1}'}: {sum(found)} of {len(found)}"


def _unknown(report: Json) -> Iterator[str]:
    """What is not known of the exchanges and why, and what else of the session is not practised."""
    why = defaultdict[str, list[int]](list)
    for i, reading in enumerate(report["readings"], 1):
        if reading["role"].startswith(_UNKNOWN):
            why[reading["role"].removeprefix(_UNKNOWN)].append(i)
        elif reading["role"] == "stands alone" and reading["pattern"] is None:
            why["how the answer is made, so there are no twins"].append(i)
    for reason, numbers in why.items():
        yield f"{_numbered(numbers)}: {reason}"
    said = {(reading["request"], reading["role"].partition(": ")[2]) for reading in report["readings"]}
    for what, reason in report["drops"]:
        if (what, reason) not in said:
            yield f"{_line(what, 60)}: {reason}"


def _print_practice(report: Json, console: Console) -> None:
    """The requests that would be practised, those that would not, and how many there are."""
    practised, dropped = (Table(box=None, expand=True, pad_edge=False) for _ in range(2))
    for table, last in ((practised, "right answer"), (dropped, "not practised, because")):
        for name in ("kind", "gap", "request", last):
            table.add_column(name, no_wrap=True, ratio=1 if name in ("request", last) else None)

    groups = defaultdict[tuple[str, str | None], list[Json]](list)
    for row in report["practice"]:
        groups[row["kind"], row["dropped"]].append(row)
    for (kind, reason), rows in groups.items():
        table = dropped if reason else practised
        for row in rows[:_ROWS]:
            answer = ("" if row["known"] else "(the teacher's) ") + _line(row["answer"])
            texts = literal(_line(row["request"])), literal(reason or answer)
            table.add_row(kind, f"{row['gap']:.2f}", *texts)
        if len(rows) > _ROWS:
            table.add_row(kind, "", f"... and {len(rows) - _ROWS} more", "")
    if groups:
        console.print(Text("Practice", "bold"), "(gap: nats per token by which the session helps)")
        legend = dict.fromkeys(f"{kind}: {_KINDS[kind]}" for kind, _ in groups)
        console.print(Text("; ".join(legend), "dim"))
    for table in (practised, dropped):
        if table.rows:
            console.print(table)
            console.print()
    stretches = report["stretches"]
    if len(stretches) > 1:
        console.print(f"The session exceeds the model's context: it is taught in {len(stretches)} stretches.")
    counts = ", ".join(f"{n} {kind}" for kind, n in report["practised"].items()) or "nothing"
    console.print(f"Practised: {counts}. Held back: {report['held_back']}.", highlight=False)
    if report["refusal"]:
        line = f"A dream would not learn this session: {report['refusal']}."
        console.print(literal(line, "yellow"))


def _numbered(numbers: Sequence[int]) -> str:
    """Exchanges by number."""
    return f"exchange{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _line(text: str, length: int = _LENGTH) -> str:
    """A text on one line, cut to a length."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
