"""Results as tables (terminal, Markdown), JSON and plots."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.machine import describe
from nightschool.errors import NightschoolError

Row = dict[str, Any]
Lines = list[list[str]]  # a table: its first line has the heads
# Columns of `by_rule`, and how each is shown.
LEARNED = {
    "unseen": "{:.2f}",
    "adjacent": "{:.2f}",
    "earlier": "{:.2f}",
    "internalised": "{:.2f}",
    "kl_to_base": "{:.3f}",
    "kl_to_previous": "{:.3f}",
    "instructions": "{:.2f}",
}
COST = {
    "sparsity": "{:.2f}",
    "steps": "{:.0f}",
    "tokens": "{:.0f}",
    "seconds": "{:.0f}",
    "peak_memory_bytes": "{:.1e}",
    "session_kv_bytes": "{:.1e}",
    "adapter_bits_per_session_token": "{:.1e}",
}


def by_rule(cells: Sequence[Row], columns: Mapping[str, str]) -> Lines:
    """One line a rule: means over suites and seeds. `earlier` counts only the cells of the last suite."""
    lines = [["rule", "cells", *columns]]
    for rule in dict.fromkeys(c["rule"] for c in cells):
        own = [c for c in cells if c["rule"] == rule]
        lines.append([rule, str(len(own)), *(_shown(own, column, form) for column, form in columns.items())])
    return lines


def by_suite(cells: Sequence[Row], value: str) -> Lines:
    """Rules by suites: means over seeds, with the standard deviation where there are several."""
    suites = list(dict.fromkeys(c["suite"] for c in cells))
    lines = [["rule", *suites]]
    for what in ("base", "in_context") if value == "unseen" else ():
        lines.append([what.replace("_", " "), *(_over_seeds(cells, s, what) for s in suites)])
    for rule in dict.fromkeys(c["rule"] for c in cells):
        own = [c for c in cells if c["rule"] == rule]
        lines.append([rule, *(_over_seeds(own, s, value) for s in suites)])
    return lines


def by_key(rows: Sequence[Row]) -> Lines:
    """One line a row, one column for each key of the first row."""
    shown = [[f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    return [list(rows[0]), *shown]


def say(line: str) -> None:
    """Print a line at once, as it is."""
    print(line, flush=True)


def finish(result: Row, out: Path | None, tables: Mapping[str, Lines] | None = None) -> None:
    """Print a benchmark's tables, or its numbers if it has none. Lists are left out: their rows were printed
    as they came. With `out`, keep the result as OUT.json and the tables as OUT.md."""
    data = {
        "command": " ".join(["python -m bench", *sys.argv[1:]]),
        "machine": describe(),
        "date": datetime.date.today().isoformat(),
        **result,
    }
    if tables:
        for title, lines in tables.items():
            Console(highlight=False).print(_rich_table(lines, title))
    else:
        print(json.dumps({k: v for k, v in data.items() if not isinstance(v, list)}, indent=1))
    if not out:
        return
    out.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")
    if tables:
        parts = [f"{title}:\n\n{markdown(lines)}" for title, lines in tables.items()]
        page = [f"`{data['command']}`", f"({data['machine']}; {data['date']})", *parts]
        out.with_suffix(".md").write_text("\n\n".join(page) + "\n")


def markdown(lines: Lines) -> str:
    """A table's Markdown."""
    heads = [head.replace("_", " ") for head in lines[0]]
    rows = ["| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *lines[1:]]]
    return "\n".join(rows)


def _rich_table(lines: Lines, title: str) -> Table:
    out = Table(title=title, box=None)
    for i, head in enumerate(lines[0]):
        out.add_column(head.replace("_", " "), justify="left" if i == 0 else "right", overflow="fold")
    for line in lines[1:]:
        out.add_row(*line)
    return out


def plot_rules(cells: Sequence[Row], path: Path) -> None:
    """New skill against forgetting, one point a rule."""

    def draw(axes: Any) -> None:
        for rule in dict.fromkeys(c["rule"] for c in cells):
            own = [c for c in cells if c["rule"] == rule]
            last = max(c["place"] for c in own)
            x = mean(c["kl_to_base"] for c in own if c["place"] == last)
            y = mean(c["unseen"] for c in own)
            axes.scatter(x, y)
            axes.annotate(rule, (x, y), textcoords="offset points", xytext=(4, 4), fontsize=8)
        axes.set(
            xlabel="forgetting: KL to base on unrelated requests after the last suite, nats per token",
            ylabel="new skill: unseen requests right",
            xscale="symlog",
        )
        axes.set_xscale("symlog", linthresh=0.01)

    _plot(draw, path)


def plot_stream(cells: Sequence[Row], path: Path) -> None:
    """Accuracy on all lessons so far, and the drift, night by night."""

    def draw(axes: Any) -> None:
        drift = axes.twinx()
        for order in sorted({c["order"] for c in cells if "order" in c}):
            nights = [c for c in cells if c.get("order") == order]
            x = [c["night"] + 1 for c in nights]
            axes.plot(x, [mean(c["accuracy"][: c["night"] + 1]) for c in nights], label=f"order {order}")
            drift.plot(x, [c["kl_to_base"] for c in nights], linestyle=":")
        axes.set(xlabel="night", ylabel="all lessons so far, share right", ylim=(0, 1.02))
        drift.set_ylabel("dotted: KL to base, nats per token")
        axes.legend(loc="lower left")

    _plot(draw, path)


def _plot(draw: Callable[[Any], None], path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError as e:
        raise NightschoolError("plots need matplotlib: pip install -e '.[bench]'") from e
    figure = Figure(figsize=(8, 5), layout="constrained")
    draw(figure.add_subplot())
    figure.savefig(path)


def _shown(cells: Sequence[Row], column: str, form: str) -> str:
    if column == "earlier":
        last = max(c["place"] for c in cells)
        cells = [c for c in cells if c["place"] == last]
    found = [c[column] for c in cells if c.get(column) is not None]
    return form.format(mean(found)) if found else "-"


def _over_seeds(cells: Sequence[Row], suite: str, value: str) -> str:
    own = [c for c in cells if c["suite"] == suite and c.get(value) is not None]
    found = list({c["seed"]: c[value] for c in own}.values())
    if not found:
        return "-"
    spread = f" ± {stdev(found):.2f}" if len(found) > 1 else ""
    return f"{mean(found):.2f}{spread}"
