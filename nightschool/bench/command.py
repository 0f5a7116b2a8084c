"""What `nightschool bench` does: load the model, fill the table, show and write it."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from nightschool.bench import essay as the_essay
from nightschool.bench import report
from nightschool.bench import stream as the_stream
from nightschool.bench.machine import describe
from nightschool.bench.suites import SUITES
from nightschool.config import Config
from nightschool.errors import BadRequest
from nightschool.models import hf


def essay(
    config: Config,
    folder: Path,
    seeds: int,
    rules: str | None,
    suites: str | None,
    quick: bool,
    console: Console,
) -> dict[str, Any]:
    """Raises BadRequest for an unknown rule or suite."""
    known = [*the_essay.WITHOUT, *the_essay.RULES]
    order = the_essay.Order(
        rules=_chosen(rules, ";", known, the_essay.QUICK_RULES if quick else known),
        suites=_chosen(suites, ",", list(SUITES), the_essay.QUICK_SUITES if quick else list(SUITES)),
        seeds=range(seeds),
        quick=quick,
    )
    model = hf.load(config.model)
    cells = the_essay.run(
        model, config, order, folder, lambda line: console.print(line, highlight=False, soft_wrap=True)
    )
    sections = {
        "What is learned and kept (means over suites and seeds)": report.by_rule(cells.rows, report.LEARNED),
        "What it costs (means)": report.by_rule(cells.rows, report.COST),
        "Unseen requests right": report.by_suite(cells.rows, "unseen"),
        "Internalised share of the in-context gain": report.by_suite(cells.rows, "internalised"),
        "KL to base on unrelated requests": report.by_suite(cells.rows, "kl_to_base"),
    }
    report.plot_rules(cells.rows, folder / "essay.svg")
    return _finish(console, folder, "essay", cells.rows, sections)


def stream(
    config: Config, folder: Path, dreams: int, orders: int, seed: int, console: Console
) -> dict[str, Any]:
    """Raises nothing of its own."""
    model = hf.load(config.model)
    cells = the_stream.run(
        model,
        config,
        dreams,
        orders,
        seed,
        folder,
        lambda line: console.print(line, highlight=False, soft_wrap=True),
    )
    report.plot_stream(cells.rows, folder / "stream.svg")
    return _finish(console, folder, "stream", cells.rows, {"By order": report.stream_lines(cells.rows)})


def _finish(
    console: Console,
    folder: Path,
    name: str,
    rows: Sequence[dict[str, Any]],
    sections: Mapping[str, Sequence[Sequence[str]]],
) -> dict[str, Any]:
    for title, lines in sections.items():
        console.print(report.table(lines, title))
    data = {
        "command": " ".join(["nightschool", *sys.argv[1:]]),
        "machine": describe(),
        "date": datetime.date.today().isoformat(),
        "cells": list(rows),
    }
    report.write(folder, name, data, sections)
    console.print(f"{folder}/{name}.md, .json, .svg", highlight=False)
    return data


def _chosen(given: str | None, separator: str, known: Sequence[str], default: Sequence[str]) -> list[str]:
    chosen = [name.strip() for name in given.split(separator)] if given else list(default)
    for name in chosen:
        if name not in known:
            raise BadRequest(f"there is no {name!r}: choose from {f'{separator} '.join(known)}")
    return chosen
