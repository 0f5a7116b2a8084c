"""`nightschool bench stream`: many small lessons, one night after the other, and what becomes of each.

With a[i][j] = accuracy on lesson j after night i (a[0]: the base model), N nights:
    ACC = mean_j a[N][j],  BWT = mean_{j<N} (a[N][j] - a[j][j]),  FWT = mean_{j>1} (a[j-1][j] - a[0][j])
(arXiv 1706.08840). No night is defended by beginning again from the base model.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from nightschool.bench.cells import Cells
from nightschool.bench.learners import Weights
from nightschool.bench.measures import accuracy
from nightschool.bench.stream_suites import stream
from nightschool.bench.suites import Suite
from nightschool.config import Config
from nightschool.gate.drift import Drift
from nightschool.lessons.anchors import encoded, probe_anchors
from nightschool.models.hf import HFModel
from nightschool.types import BASE

LEARN = {"variations": 48, "held_back": 16}  # small lessons


def run(
    model: HFModel,
    config: Config,
    dreams: int,
    orders: int,
    seed: int,
    folder: Path,
    tell: Callable[[str], None],
) -> Cells:
    """Go on with the nights of each order (the first is as they come, the others are shuffled)."""
    cells = Cells(folder / "cells.jsonl")
    drift = Drift(model, encoded(model, probe_anchors()))
    suites = stream(seed, dreams)
    base = _measured_once(cells, "base", suites, lambda s: accuracy(model, s, s.unseen, BASE))
    ceiling = _measured_once(
        cells, "in context", suites, lambda s: accuracy(model, s, s.unseen, BASE, s.session.messages)
    )
    own = config.model_copy(update={"learn": config.learn.model_copy(update={**LEARN, "seed": seed})})
    for order in range(orders):
        turn = list(range(dreams))
        if order:
            random.Random(f"{seed}:{order}").shuffle(turn)
        learner = Weights(model, folder / "homes" / f"order-{order}-{seed}", own)
        for i, which in enumerate(turn):
            if cells.has(order=order, night=i):
                continue
            # Where a run was stopped between learning and noting it down, the night's cost is not known.
            took = {} if learner.knows(suites[which]) else learner.learn(suites[which])
            asked = turn[: i + 2]  # those learned, and the next one
            row = {n: learner.accuracy(suites[n], suites[n].unseen) for n in asked}
            cell = {
                "order": order,
                "night": i,
                "lesson": which,
                "name": suites[which].name,
                "base": base[which],
                "in_context": ceiling[which],
                "accuracy": [row[n] for n in asked],
                "kl_to_base": drift(learner.version),
                **took,
            }
            cells.add(cell)
            tell(_line(cell))
    return cells


def _measured_once(
    cells: Cells, what: str, suites: Sequence[Suite], measure: Callable[[Suite], float]
) -> list[float]:
    for cell in cells.of(what=what):
        if len(cell["accuracy"]) == len(suites):
            found: list[float] = cell["accuracy"]
            return found
    found = [measure(suite) for suite in suites]
    cells.add({"what": what, "accuracy": found})
    return found


def metrics(nights: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Of one order's nights so far."""
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


def _line(cell: dict[str, Any]) -> str:
    learned = cell["accuracy"][: cell["night"] + 1]
    return (
        f"order {cell['order']}, night {cell['night'] + 1} ({cell['name']}): {learned[-1]:.2f} of "
        f"{cell['in_context']:.2f}, all so far {mean(learned):.2f}, KL {cell['kl_to_base']:.3f}, "
        f"{cell.get('seconds', 0):.0f} s"
    )
