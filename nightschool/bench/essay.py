"""`nightschool bench essay`: every learning rule on five suites of office work, learned one after the other.

Each rule starts from the base model and learns suite after suite on top of what it has. After each, it is
examined. A cell of the table is written as soon as it is known: a run that was stopped goes on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightschool import night
from nightschool.bench.cells import Cells
from nightschool.bench.learners import Compact, Context, Learner, Notes, Weights
from nightschool.bench.measures import forget_peak, instructions, peak, reference
from nightschool.bench.suites import SUITES, Suite
from nightschool.checks import Case
from nightschool.config import Config
from nightschool.gate.drift import Drift
from nightschool.lessons.anchors import probe_anchors
from nightschool.models.hf import HFModel
from nightschool.types import Message

EARLIER = 16  # cases of an earlier suite that are asked again
LEARN = {"variations": 64, "held_back": 24, "steps": 24}  # for all rules: a table is many dreams
_PLAIN = {"anchors": 0, "ema_decay": 0.0}  # fine-tuning as it is usually done

# What each row of the table changes in the settings of `learn`.
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
WITHOUT = ("context", "notes", "compact")  # those that leave the weights alone
QUICK_SUITES = ("payments", "triage", "tools")
QUICK_RULES = ("context", "notes", "opsd", "trd, from error", "cd", "sft, lr 5e-4")
QUICK_LEARN = {"steps": 12, "variations": 32, "held_back": 16, "self_asked": 8}
QUICK_CASES = 12


@dataclass(frozen=True)
class Order:
    """What is to be run: `quick` takes fewer cases, steps and practice requests."""

    rules: Sequence[str]
    suites: Sequence[str]
    seeds: Sequence[int]
    quick: bool = False


def run(model: HFModel, config: Config, order: Order, folder: Path, tell: Callable[[str], None]) -> Cells:
    """Fill the table in `folder` with what is missing."""
    cells = Cells(folder / "cells.jsonl")
    drift = Drift(model, [night.general_prompt(model, text) for text in probe_anchors()])
    for seed in order.seeds:
        suites = [_suite(name, seed, order.quick) for name in order.suites]
        for rule in order.rules:
            if all(cells.has(rule=rule, suite=s.name, seed=seed) for s in suites):
                continue
            learner = _learner(model, config, rule, seed, folder, order.quick)
            for i, suite in enumerate(suites):
                done = cells.has(rule=rule, suite=suite.name, seed=seed)
                if done and isinstance(learner, Weights):
                    continue  # its version on the disk knows
                forget_peak()
                before = learner.version
                known = isinstance(learner, Weights) and learner.knows(suite)
                # Where a run was stopped between learning and noting it down, its cost is not known.
                took = {} if known else learner.learn(suite)
                if done:
                    continue
                cell = {"rule": rule, "suite": suite.name, "seed": seed, "place": i, **took}
                cell["peak_memory_bytes"] = peak()
                cell |= _examined(model, learner, suites[: i + 1], drift, before)
                cell |= _reference(model, cells, suite, seed)
                gain = cell["in_context"] - cell["base"]
                cell["internalised"] = (cell["unseen"] - cell["base"]) / gain if gain > 0.05 else None
                cells.add(cell)
                tell(_line(cell))
    return cells


def _learner(model: HFModel, config: Config, rule: str, seed: int, folder: Path, quick: bool) -> Learner:
    if rule == "context":
        return Context(model)
    if rule == "notes":
        return Notes(model)
    changes = {**LEARN, **RULES.get(rule, {}), "seed": seed, **(QUICK_LEARN if quick else {})}
    changes["opsd"] = config.learn.opsd.model_copy(update=changes.get("opsd", {}))
    own = config.model_copy(update={"learn": config.learn.model_copy(update=changes)})
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


def _examined(
    model: HFModel, learner: Learner, suites: Sequence[Suite], drift: Drift, before: str
) -> dict[str, Any]:
    suite, earlier = suites[-1], suites[:-1]
    kept = [learner.accuracy(s, _some(s.unseen, EARLIER)) for s in earlier]
    turns = learner.before()
    prompts = [tuple(model.encode([*turns, Message("user", text)])) for text in probe_anchors()]
    return {
        "unseen": learner.accuracy(suite, suite.unseen),
        "adjacent": learner.accuracy(suite, suite.adjacent),
        "earlier": sum(kept) / len(kept) if kept else None,
        "kl_to_base": drift(learner.version, prompts, learner.prefix),
        "kl_to_previous": drift.between(before, learner.version) if suites[1:] else None,
        "instructions": instructions(model, learner.version, turns),
    }


def _reference(model: HFModel, cells: Cells, suite: Suite, seed: int) -> dict[str, float]:
    """`reference`, measured once."""
    for cell in cells.of(suite=suite.name, seed=seed):
        return {name: cell[name] for name in ("base", "in_context", "in_context_adjacent")}
    return reference(model, suite)


def _line(cell: dict[str, Any]) -> str:
    earlier = f", earlier {cell['earlier']:.2f}" if cell["earlier"] is not None else ""
    return (
        f"{cell['rule']} / {cell['suite']} / seed {cell['seed']}: {cell['base']:.2f} -> {cell['unseen']:.2f} "
        f"(in context {cell['in_context']:.2f}){earlier}, adjacent {cell['adjacent']:.2f}, "
        f"KL {cell['kl_to_base']:.3f}, {cell.get('seconds', 0):.0f} s"
    )
