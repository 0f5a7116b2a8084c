"""How the base model answers the suites' cases, without the session and with it in its context.

    python -m benchmarks.suites [--seeds 0 1 2] [--facts 1 2 4 8] [--out docs/results/suites] [NAME ...]

NAME: a suite (all of them, unless told). `--facts`: only the facts, told so many at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.machine import describe, write
from nightschool.bench.measures import reference
from nightschool.bench.suites import SUITES, facts
from nightschool.config import load
from nightschool.models import hf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SUITES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--facts", type=int, nargs="+")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    if unknown := sorted(set(chosen.names) - SUITES.keys()):
        parser.error(f"there is no suite {unknown[0]}: {', '.join(SUITES)}")
    rows = []
    model = hf.load(load({}).model)
    for seed in chosen.seeds:
        if chosen.facts:
            suites = {f"{n} facts": facts(seed, n) for n in chosen.facts}
        else:
            suites = {name: SUITES[name](seed) for name in chosen.names or SUITES}
        for name, suite in suites.items():
            rows.append({"suite": name, "seed": seed, **reference(model, suite)})
            print(rows[-1], flush=True)
    write(chosen.out, {"machine": describe(), "rows": rows})


if __name__ == "__main__":
    main()
