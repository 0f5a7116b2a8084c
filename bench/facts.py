"""How many questions about facts the base model gets right, with the session that tells them in its context
and without."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench import report, settings
from bench.measures import baselines
from bench.work.suites import facts
from nightschool.models import hf


def main(
    counts: Annotated[list[int] | None, typer.Argument(help="Facts told; 1 2 4 8 by default.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many, from 0 on.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Keep the result as OUT.json.")] = None,
) -> None:
    model = hf.load(settings.config().model)
    rows = []
    for seed in range(seeds):
        for count in counts or (1, 2, 4, 8):
            rows.append({"facts": count, "seed": seed, **baselines(model, facts(seed, count))})
            report.say(str(rows[-1]))
    report.finish({"rows": rows}, out)
