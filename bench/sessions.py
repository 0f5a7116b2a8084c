"""Short sessions of five unlike kinds, each from import to eval through the command line.

Each kind starts from the base model in a home of its own; `--chain` dreams them one after the other in one
home and measures every kind so far after each night.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import report, settings
from bench.work.cases import Suite
from bench.work.kinds import KINDS


class Home:
    """A home of Nightschool, used through its command line."""

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self._folder, self._options = folder, options

    def __call__(self, *arguments: str, fine: tuple[int, ...] = (0,)) -> Any:
        """Run a command that may end with one of these exit codes. Returns its JSON."""
        command = [sys.executable, "-m", "nightschool", *arguments, "--json", *self._options]
        environment = os.environ | {"NIGHTSCHOOL_HOME": str(self._folder)}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode not in fine:
            raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}")
        return json.loads(done.stdout)

    def learn(self, suite: Suite) -> dict[str, Any]:
        """Import a session, like it and dream of it. Returns the dream's numbers."""
        session = suite.session
        line = {"id": session.id, "messages": [m.to_json() for m in session.messages]}
        self("import", self._file("session", [line]))
        self("good", session.id)
        dream = self("dream", session.id, fine=(0, 1))  # 1: the gate rejected it
        return {
            "status": dream["status"],
            "reasons": dream["verdict"]["reasons"],
            "kl_to_base": dream["verdict"]["numbers"]["kl_to_base"],
            "steps": dream["steps"],
            "seconds": dream["seconds"],
            "peak_memory_mb": round(dream["peak_memory_bytes"] / 1e6),
        }

    def accuracy(self, suite: Suite, *options: str) -> float:
        """Share of the unseen cases answered right."""
        lines = [
            {
                "id": case.id,
                "messages": [m.to_json() for m in case.messages],
                "check": {case.check.kind: case.check.value},
            }
            for case in suite.unseen
        ]
        return float(self("eval", self._file("cases", lines), *options)["accuracy"])

    def _file(self, name: str, lines: Sequence[dict[str, Any]]) -> str:
        path = self._folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return str(path)


def one_by_one(suites: Sequence[Suite], options: Sequence[str]) -> list[dict[str, Any]]:
    """Each session from the base model, in a home of its own."""
    rows = []
    for suite in suites:
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder), options)
            dream = home.learn(suite)
            row = {
                "kind": suite.name,
                "base": home.accuracy(suite, "--version", "base"),
                "in_context": home.accuracy(suite, "--version", "base", "--with-session", suite.session.id),
                "after": home.accuracy(suite),
                **dream,
            }
        report.say(json.dumps(row))
        rows.append(row)
    return rows


def chained(suites: Sequence[Suite], options: Sequence[str]) -> list[dict[str, Any]]:
    """One night after the other in one home; every kind learned so far is measured after each."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), options)
        for i, suite in enumerate(suites):
            dream = home.learn(suite)
            after = {earlier.name: home.accuracy(earlier) for earlier in suites[: i + 1]}
            rows.append({"kind": suite.name, "accuracy": after, **dream})
            report.say(json.dumps(rows[-1]))
    return rows


def main(
    kinds: Annotated[list[str] | None, typer.Argument(help=f"{', '.join(KINDS)}; all by default.")] = None,
    seed: Annotated[int, typer.Option(help="Of the cases and the training.")] = 0,
    chain: Annotated[bool, typer.Option("--chain", help="One night after the other, in one home.")] = False,
    out: Annotated[Path | None, typer.Option(help="Keep the result as OUT.json and OUT.md.")] = None,
) -> None:
    suites = [KINDS[name](seed) for name in settings.chosen(kinds, list(KINDS))]
    options = ["--learn.seed", str(seed), *(f"--{key}={value}" for key, value in settings.given.items())]
    rows = (chained if chain else one_by_one)(suites, options)
    tables = {"Sessions": report.by_key([{k: v for k, v in r.items() if k != "reasons"} for r in rows])}
    if rejected := [[row["kind"], reason] for row in rows for reason in row["reasons"]]:
        tables["Rejected by the gate"] = [["kind", "reason"], *rejected]
    report.finish({"rows": rows}, out, tables)
