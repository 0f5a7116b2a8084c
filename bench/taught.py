"""What dreams learn of the kinds of sessions that `bench lessons` knows the truth of: unseen requests right
for the base model, with the session in its context, and after one dream without it (no gate).

Leaves out what these sessions could teach at best: practice made by the kind itself (`true_variations`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench import report, settings, ungated
from bench.lessons import KINDS
from bench.measures import accuracy, drift_from_base
from bench.work.truths import Kind
from nightschool.config import Config
from nightschool.learn.student import STUDENT
from nightschool.measure.drift import Drift
from nightschool.models import hf
from nightschool.types import BASE

DEFAULT = ("rooms", "rechnungen", "pedidos", "kaigi", "labels", "told")


def learned(model: hf.HFModel, drift: Drift, kind: Kind, config: Config) -> dict[str, Any]:
    """One dream of the kind's session of this seed, and what it brought."""
    suite = kind.suite(config.learn.seed)
    with ungated.fresh_home() as (store, home):
        night = ungated.dream(model, store, home, config, suite.session)
    return {
        "kind": kind.name,
        "seed": config.learn.seed,
        "base": accuracy(model, suite, suite.unseen, BASE),
        "in_context": accuracy(model, suite, suite.unseen, BASE, suite.session.messages),
        "after": accuracy(model, suite, suite.unseen, STUDENT),
        "kl": drift(STUDENT),
        "practised": night.lesson["practised"],
        "setup_seconds": night.setup_seconds,
        "seconds": night.outcome.seconds,
    }


def main(
    kinds: Annotated[list[str] | None, typer.Argument(help=f"Of those of `lessons`; {DEFAULT}.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many, from 0 on.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Keep the result as OUT.json.")] = None,
) -> None:
    names, config = settings.chosen(kinds or list(DEFAULT), list(KINDS)), settings.config()
    model = hf.load(config.model)
    drift, rows = drift_from_base(model), []
    for seed in range(seeds):
        for name in names:
            rows.append(learned(model, drift, KINDS[name], settings.with_learn(config, seed=seed)))
            report.say(str(rows[-1]))
    report.finish({"rows": rows}, out)
