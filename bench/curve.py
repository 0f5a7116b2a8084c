"""Accuracy and drift over the seconds of a dream, by kind of session, and the seconds to 0.95 of the ceiling.

Every few steps the student answers the unseen cases, and its KL to base on unrelated requests is measured.
Measuring does not count as time. The ceiling is the base model's accuracy with the session in its context.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import report, settings, ungated
from bench.measures import accuracy, drift_from_base
from bench.work.kinds import KINDS
from nightschool.config import Config
from nightschool.learn.student import STUDENT
from nightschool.learn.trainer import StepReport
from nightschool.measure.drift import Drift
from nightschool.models import hf
from nightschool.types import BASE

CASES = 77  # added to the seed, so that these are not the cases of `bench sessions`


def run(model: hf.HFModel, drift: Drift, kind: str, config: Config) -> dict[str, Any]:
    """One dream, measured while it trains."""
    suite = KINDS[kind](config.learn.seed + CASES)
    points: list[dict[str, float]] = []
    began, away = time.perf_counter(), 0.0

    def watch(step: StepReport) -> None:
        nonlocal away
        if step.step % config.learn.round_steps and step.step != step.steps:
            return
        now = time.perf_counter()
        points.append(
            {
                "step": step.step,
                "seconds": now - began - away,
                "held_back": step.accuracy or 0.0,
                "unseen": accuracy(model, suite, suite.unseen, STUDENT),
                "kl": drift(STUDENT),
                "loss": step.loss,
            }
        )
        away += time.perf_counter() - now
        report.say(f"    { {k: round(v, 3) for k, v in points[-1].items()} }")

    with ungated.fresh_home() as (store, home):
        done = ungated.dream(model, store, home, config, suite.session, watch)
        seconds = time.perf_counter() - began - away
    ceiling = accuracy(model, suite, suite.unseen, BASE, suite.session.messages)
    return {
        "kind": kind,
        "seed": config.learn.seed,
        "ceiling": ceiling,
        "unseen": accuracy(model, suite, suite.unseen, STUDENT),
        "kl": drift(STUDENT),
        "best_step": done.outcome.numbers["steps"],
        "setup_seconds": done.setup_seconds,
        "seconds": seconds,
        "seconds_to_95": next((p["seconds"] for p in points if p["unseen"] >= 0.95 * ceiling), None),
        "curve": points,
    }


def main(
    kinds: Annotated[list[str] | None, typer.Argument(help=f"{', '.join(KINDS)}; all by default.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many, from 0 on.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Keep the result as OUT.json.")] = None,
) -> None:
    names, config = settings.chosen(kinds, list(KINDS)), settings.config()
    model = hf.load(config.model)
    drift = drift_from_base(model)
    rows = []
    for seed in range(seeds):
        for name in names:
            report.say(f"{name} {seed}")
            rows.append(run(model, drift, name, settings.with_learn(config, seed=seed)))
            report.say(str({k: v for k, v in rows[-1].items() if k != "curve"}))
    report.finish({"rows": rows}, out)
