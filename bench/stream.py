"""Many small lessons, one a night, and how much of each is still known later.

With a[i][j] = accuracy on lesson j after night i (a[0]: the base model), N nights:
    ACC = mean_j a[N][j],  BWT = mean_{j<N} (a[N][j] - a[j][j]),  FWT = mean_{j>1} (a[j-1][j] - a[0][j])
(arXiv 1706.08840). Every night starts from the version before it, never again from the base model.
A run that was stopped goes on where it was.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import typer

from bench import report, settings
from bench.cells import Cells
from bench.learners import Weights
from bench.measures import accuracy, drift_from_base
from bench.work.cases import Suite
from bench.work.small import small_lessons
from nightschool.config import Config
from nightschool.models import hf
from nightschool.models.hf import HFModel
from nightschool.types import BASE

LEARN = {"variations": 48, "held_back": 16}  # less than by default, as the lessons are small


def run(
    model: HFModel,
    config: Config,
    dreams: int,
    orders: int,
    seed: int,
    folder: Path,
    say: Callable[[str], None],
) -> Cells:
    """Dream the nights that are missing. The first order is that of the lessons, the others are shuffled."""
    cells = Cells(folder / "cells.jsonl")
    drift = drift_from_base(model)
    suites = small_lessons(seed, dreams)
    base = _measured_once(cells, "base", suites, lambda s: accuracy(model, s, s.unseen, BASE))
    ceiling = _measured_once(
        cells, "in context", suites, lambda s: accuracy(model, s, s.unseen, BASE, s.session.messages)
    )
    own = settings.with_learn(config, **LEARN, seed=seed)
    for order in range(orders):
        turn = list(range(dreams))
        if order:
            random.Random(f"{seed}:{order}").shuffle(turn)
        learner = Weights(model, folder / "homes" / f"order-{order}-{seed}", own)
        for i, which in enumerate(turn):
            if cells.has(order=order, night=i):
                continue
            # A run that was stopped between learning and writing the cell does not know the cost.
            took = {} if learner.knows(suites[which]) else learner.learn(suites[which])
            measured = turn[: i + 2]  # those learned, and the next one
            row = {n: learner.accuracy(suites[n], suites[n].unseen) for n in measured}
            cell = {
                "order": order,
                "night": i,
                "lesson": which,
                "name": suites[which].name,
                "base": base[which],
                "in_context": ceiling[which],
                "accuracy": [row[n] for n in measured],
                "kl_to_base": drift(learner.version),
                **took,
            }
            cells.add(cell)
            say(_line(cell))
    return cells


def _measured_once(
    cells: Cells, what: str, suites: Sequence[Suite], measure: Callable[[Suite], float]
) -> list[float]:
    for cell in cells.select(what=what):
        if len(cell["accuracy"]) == len(suites):
            found: list[float] = cell["accuracy"]
            return found
    found = [measure(suite) for suite in suites]
    cells.add({"what": what, "accuracy": found})
    return found


def metrics(nights: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The metrics of one order's nights so far."""
    a = [cell["accuracy"] for cell in nights]  # a[i][j]: after night i (from 0), lesson of night j
    last = len(a) - 1
    learned = [a[j][j] for j in range(len(a))]
    out = {
        "nights": len(a),
        "ACC": mean(a[last][j] for j in range(len(a))),
        "in_context": mean(cell["in_context"] for cell in nights),
        "learned_first_five": mean(learned[:5]),
        "learned_last_five": mean(learned[-5:]),
        "kl_to_base": nights[-1]["kl_to_base"],
        "seconds": sum(cell.get("seconds", 0) for cell in nights),
    }
    if last:
        out["BWT"] = mean(a[last][j] - a[j][j] for j in range(last))
        out["FWT"] = mean(a[j - 1][j] - nights[j]["base"] for j in range(1, len(a)))
        out["worst_forgotten"] = max(max(row[j] for row in a[j:]) - a[last][j] for j in range(last))
    return out


def lines(cells: Sequence[dict[str, Any]]) -> report.Lines:
    """`metrics` as a table, one line an order."""
    orders = sorted({c["order"] for c in cells if "order" in c})
    found = [metrics([c for c in cells if c.get("order") == order]) for order in orders]
    heads = ["order", *found[0]] if found else ["order"]
    return [heads, *([str(o), *(f"{v:.3f}" for v in m.values())] for o, m in zip(orders, found, strict=True))]


def _line(cell: dict[str, Any]) -> str:
    learned = cell["accuracy"][: cell["night"] + 1]
    return (
        f"order {cell['order']}, night {cell['night'] + 1} ({cell['name']}): {learned[-1]:.2f} of "
        f"{cell['in_context']:.2f}, all so far {mean(learned):.2f}, KL {cell['kl_to_base']:.3f}, "
        f"{cell.get('seconds', 0):.0f} s"
    )


def main(
    dreams: Annotated[int, typer.Option(min=2, max=20, help="Lessons, one a night.")] = 20,
    orders: Annotated[int, typer.Option(min=1, help="Orders in which they are learned.")] = 2,
    seed: Annotated[int, typer.Option(help="Of the lessons and the training.")] = 0,
    folder: Annotated[Path, typer.Option(help="Keeps cells, homes, table, plot.")] = Path("bench-stream"),
) -> None:
    config = settings.config()
    rows = run(hf.load(config.model), config, dreams, orders, seed, folder, report.say).rows
    report.plot_stream(rows, folder / "stream.svg")
    report.finish({"cells": rows}, folder / "stream", {"By order": lines(rows)})
