"""Learning rules on five suites of office work, learned one after the other.

Each rule starts from the base model, learns suite after suite on top of what it has, and is measured after
each. They are compared with all sessions in the context, notes, and a compacted cache. A cell of the table is
written as soon as it is known, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import report, settings
from bench.cells import Cells
from bench.learners import Compact, Context, Learner, Notes, Weights
from bench.measures import (
    baselines,
    drift_from_base,
    instructions,
    peak_memory,
    reset_peak_memory,
    unrelated,
)
from bench.work.cases import Suite
from bench.work.suites import SUITES
from nightschool.config import Config
from nightschool.measure.cases import Case
from nightschool.measure.drift import Drift
from nightschool.models import hf
from nightschool.models.hf import HFModel

EARLIER = 16  # cases of each earlier suite that are asked again
LEARN = {"variations": 64, "held_back": 24, "steps": 24}  # shorter dreams than by default: a table is many
LEAST_GAIN = 0.05  # two of 40 cases: if the context gains less over base, `internalised` divides by noise
_PLAIN = {"anchors": 0, "ema_decay": 0.0}  # fine-tuning as it is usually done

# The rows of the table: what each changes in the settings of `learn`.
RULES: dict[str, dict[str, Any]] = {
    "opsd": {},
    "opsd, bare teacher": {"opsd": {"reference_fraction": 0.0}},
    "opsd, right answers only": {"opsd": {"reference_fraction": 1.0}},
    "opsd, reverse KL": {"opsd": {"divergence": "reverse_kl"}},
    "opsd, Jensen-Shannon": {"opsd": {"divergence": "jensen_shannon"}},
    "opsd, top-k": {"opsd": {"divergence": "top_k"}},
    "trd, rewrite": {"rule": "trd-rewrite"},
    "trd, from error": {"rule": "trd-from-error"},
    "cd": {"rule": "cd"},
    "sft, lr 1e-4": {"rule": "sft", "lr": 1e-4, **_PLAIN},
    "sft, lr 5e-4": {"rule": "sft", "lr": 5e-4, **_PLAIN},
    "sft, lr 2e-3": {"rule": "sft", "lr": 2e-3, **_PLAIN},
    "rlvr": {"rule": "rlvr"},
    "opsd+rlvr": {"rule": "opsd+rlvr"},
    "auto": {"rule": "auto"},
}
WITHOUT = ("context", "notes", "compact")  # rows that leave the weights as they are
QUICK_SUITES = ("payments", "triage", "tools")
QUICK_RULES = ("context", "notes", "opsd", "trd, from error", "cd", "sft, lr 5e-4")
QUICK_LEARN = {"steps": 12, "variations": 32, "held_back": 16, "self_asked": 8}
QUICK_CASES = 12


@dataclass(frozen=True)
class Selection:
    """What is run; `quick` takes fewer cases, steps and practice requests."""

    rules: Sequence[str]
    suites: Sequence[str]
    seeds: Sequence[int]
    quick: bool = False


def run(
    model: HFModel, config: Config, selection: Selection, folder: Path, say: Callable[[str], None]
) -> Cells:
    """Measure the cells that are missing in the table in `folder`."""
    cells = Cells(folder / "cells.jsonl")
    drift = drift_from_base(model)
    for seed in selection.seeds:
        suites = [_suite(name, seed, selection.quick) for name in selection.suites]
        for rule in selection.rules:
            if all(cells.has(rule=rule, suite=s.name, seed=seed) for s in suites):
                continue
            learner = _learner(model, config, rule, seed, folder, selection.quick)
            for i, suite in enumerate(suites):
                done = cells.has(rule=rule, suite=suite.name, seed=seed)
                if done and isinstance(learner, Weights):
                    continue  # what it learned is in its version on the disk
                reset_peak_memory()
                before = learner.version
                known = isinstance(learner, Weights) and learner.knows(suite)
                # A run that was stopped between learning and writing the cell does not know the cost.
                took = {} if known else learner.learn(suite)
                if done:
                    continue
                cell = {"rule": rule, "suite": suite.name, "seed": seed, "place": i, **took}
                cell["peak_memory_bytes"] = peak_memory()
                cell |= _measured(model, learner, suites[: i + 1], drift, before)
                cell |= _baselines(model, cells, suite, seed)
                gain = cell["in_context"] - cell["base"]
                cell["internalised"] = (cell["unseen"] - cell["base"]) / gain if gain > LEAST_GAIN else None
                cells.add(cell)
                say(_line(cell))
    return cells


def _learner(model: HFModel, config: Config, rule: str, seed: int, folder: Path, quick: bool) -> Learner:
    if rule == "context":
        return Context(model)
    if rule == "notes":
        return Notes(model)
    changes = {**LEARN, **RULES.get(rule, {}), "seed": seed, **(QUICK_LEARN if quick else {})}
    own = settings.with_learn(config, **changes)
    if rule == "compact":
        return Compact(model, own)
    return Weights(model, folder / "homes" / f"{rule.replace(' ', '-').replace(',', '')}-{seed}", own)


def _suite(name: str, seed: int, quick: bool) -> Suite:
    whole = SUITES[name](seed)
    if not quick:
        return whole
    few, fewer = _some(whole.unseen, QUICK_CASES), _some(whole.adjacent, QUICK_CASES // 2)
    return Suite(whole.name, whole.session, few, fewer, whole.answers)


def _some(cases: Sequence[Case], count: int) -> tuple[Case, ...]:
    return tuple(random.Random(0).sample(cases, min(count, len(cases))))


def _measured(
    model: HFModel, learner: Learner, suites: Sequence[Suite], drift: Drift, before: str
) -> dict[str, Any]:
    suite, earlier = suites[-1], suites[:-1]
    kept = [learner.accuracy(s, _some(s.unseen, EARLIER)) for s in earlier]
    turns = learner.before()
    return {
        "unseen": learner.accuracy(suite, suite.unseen),
        "adjacent": learner.accuracy(suite, suite.adjacent),
        "earlier": sum(kept) / len(kept) if kept else None,
        "kl_to_base": drift(learner.version, unrelated(model, turns), learner.prefix),
        "kl_to_previous": drift.between(before, learner.version) if suites[1:] else None,
        "instructions": instructions(model, learner.version, turns),
    }


def _baselines(model: HFModel, cells: Cells, suite: Suite, seed: int) -> dict[str, float]:
    """`baselines`, measured once a suite and seed."""
    for cell in cells.select(suite=suite.name, seed=seed):
        return {name: cell[name] for name in ("base", "in_context", "in_context_adjacent")}
    return baselines(model, suite)


def _line(cell: dict[str, Any]) -> str:
    earlier = f", earlier {cell['earlier']:.2f}" if cell["earlier"] is not None else ""
    return (
        f"{cell['rule']} / {cell['suite']} / seed {cell['seed']}: {cell['base']:.2f} -> {cell['unseen']:.2f} "
        f"(in context {cell['in_context']:.2f}){earlier}, adjacent {cell['adjacent']:.2f}, "
        f"KL {cell['kl_to_base']:.3f}, {cell.get('seconds', 0):.0f} s"
    )


def main(
    rules: Annotated[
        list[str] | None, typer.Argument(help=f"{'; '.join([*WITHOUT, *RULES])}. All by default.")
    ] = None,
    suite: Annotated[list[str] | None, typer.Option(help=f"{', '.join(SUITES)}; can be repeated.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many, from 0 on.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rules, suites, cases and steps.")] = False,
    folder: Annotated[Path, typer.Option(help="Keeps cells, homes, tables, plot.")] = Path("bench-essay"),
) -> None:
    selection = select(rules, suite, seeds, quick)
    rows = run(hf.load(settings.config().model), settings.config(), selection, folder, report.say).rows
    report.plot_rules(rows, folder / "essay.svg")
    tables = {
        "What is learned and kept (means over suites and seeds)": report.by_rule(rows, report.LEARNED),
        "What it costs (means)": report.by_rule(rows, report.COST),
        "Unseen requests right": report.by_suite(rows, "unseen"),
        "Internalised share of the in-context gain": report.by_suite(rows, "internalised"),
        "KL to base on unrelated requests": report.by_suite(rows, "kl_to_base"),
    }
    report.finish({"cells": rows}, folder / "essay", tables)


def select(rules: list[str] | None, suites: list[str] | None, seeds: int, quick: bool) -> Selection:
    """Raises BadRequest for an unknown rule or suite."""
    if quick:
        rules, suites = rules or list(QUICK_RULES), suites or list(QUICK_SUITES)
    return Selection(
        settings.chosen(rules, [*WITHOUT, *RULES]),
        settings.chosen(suites, list(SUITES)),
        range(seeds),
        quick,
    )
