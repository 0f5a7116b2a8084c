"""Cells as tables (terminal, Markdown), JSON and plots."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.table import Table

from nightschool.bench.stream import metrics
from nightschool.errors import NightschoolError

Row = dict[str, Any]
# Columns, and how they are shown.
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


def by_rule(cells: Sequence[Row], columns: Mapping[str, str]) -> list[list[str]]:
    """One line a rule: means over suites and seeds; what is kept of earlier suites is that after the last."""
    lines = [["rule", "cells", *columns]]
    for rule in dict.fromkeys(c["rule"] for c in cells):
        own = [c for c in cells if c["rule"] == rule]
        lines.append([rule, str(len(own)), *(_shown(own, column, form) for column, form in columns.items())])
    return lines


def by_suite(cells: Sequence[Row], value: str) -> list[list[str]]:
    """Rules by suites: the mean over seeds, with its spread where there are several."""
    suites = list(dict.fromkeys(c["suite"] for c in cells))
    lines = [["rule", *suites]]
    for what in ("base", "in_context") if value == "unseen" else ():
        lines.append([what.replace("_", " "), *(_over_seeds(cells, s, what) for s in suites)])
    for rule in dict.fromkeys(c["rule"] for c in cells):
        own = [c for c in cells if c["rule"] == rule]
        lines.append([rule, *(_over_seeds(own, s, value) for s in suites)])
    return lines


def stream_lines(cells: Sequence[Row]) -> list[list[str]]:
    """One line an order."""
    orders = sorted({c["order"] for c in cells if "order" in c})
    found = [metrics([c for c in cells if c.get("order") == order]) for order in orders]
    heads = ["order", *found[0]] if found else ["order"]
    return [heads, *([str(o), *(f"{v:.3f}" for v in m.values())] for o, m in zip(orders, found, strict=True))]


def table(lines: Sequence[Sequence[str]], title: str) -> Table:
    """For the terminal."""
    out = Table(title=title, box=None)
    for i, head in enumerate(lines[0]):
        out.add_column(head.replace("_", " "), justify="left" if i == 0 else "right", overflow="fold")
    for line in lines[1:]:
        out.add_row(*line)
    return out


def markdown(lines: Sequence[Sequence[str]]) -> str:
    heads = [head.replace("_", " ") for head in lines[0]]
    rows = ["| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *lines[1:]]]
    return "\n".join(rows)


def write(
    folder: Path, name: str, data: dict[str, Any], sections: Mapping[str, Sequence[Sequence[str]]]
) -> None:
    """FOLDER/NAME.json and NAME.md."""
    (folder / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")
    parts = [f"{title}:\n\n{markdown(lines)}" for title, lines in sections.items()]
    page = [f"`{data['command']}`", f"({data['machine']}; {data['date']})", *parts]
    (folder / f"{name}.md").write_text("\n\n".join(page) + "\n")


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
    """How much of all lessons so far is right, and the drift, night by night."""

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
        raise NightschoolError("plots need matplotlib: pip install 'nightschool[bench]'") from e
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
