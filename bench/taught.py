"""What dreams learn of 12 kinds of sessions that `bench lessons` knows the truth of: unseen requests right
for the base model, with the session in its context, and after one dream without it (no gate).

The ceiling of the recipe is another dream of the same session with the same settings, which practises
variations that the kind itself makes, instead of those that the product derives. A cell of the table is
written as soon as it is known, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from bench import report, settings, ungated
from bench.cells import Cells
from bench.lessons import KINDS
from bench.machine import describe
from bench.measures import accuracy, drift_from_base
from bench.work.cases import CaseSpec, Suite
from bench.work.truths import Kind
from bench.work.truths_aside import ASIDE
from nightschool.config import Config
from nightschool.engines.base import Engine
from nightschool.learn.student import STUDENT
from nightschool.lessons.feedback import JudgedSession
from nightschool.lessons.prepare import Prepare, prepare
from nightschool.models import hf
from nightschool.types import BASE, Lesson, PracticeRequest

# Formats in four languages; follow-ups, a correction and a tool flow (these three are kept aside); labels of
# two sorts, facts of two sorts.
DEFAULT = tuple(
    "rooms rechnungen pedidos kaigi stock ban-pho rendelesek transfer labels zones told asked".split()
)
PRACTICE = ("own", "true")  # variations derived by the product, and made by the kind


def run(
    model: hf.HFModel,
    config: Config,
    kinds: Sequence[Kind],
    seeds: Sequence[int],
    practices: Sequence[str],
    cells: Cells,
    say: Callable[[str], None],
) -> None:
    """Measure the cells that are missing."""
    drift = drift_from_base(model)
    for seed in seeds:
        own = settings.with_learn(config, seed=seed)
        for kind in kinds:
            suite = kind.suite(seed)
            for practice in practices:
                if cells.has(kind=kind.name, seed=seed, practice=practice):
                    continue
                untaught = _untaught(model, cells, kind, seed, suite)
                lesson_of = true_practice(kind) if practice == "true" else prepare
                with ungated.fresh_home() as (store, home):
                    night = ungated.dream(model, store, home, own, suite.session, prepare=lesson_of)
                cell = {
                    "kind": kind.name,
                    "seed": seed,
                    "practice": practice,
                    **untaught,
                    "after": accuracy(model, suite, suite.unseen, STUDENT),
                    "kl": drift(STUDENT),
                    "practised": night.lesson["practised"],
                    "setup_seconds": night.setup_seconds,
                    "seconds": night.outcome.seconds,
                    "machine": describe(),
                }
                cells.add(cell)
                say(_line(cell))


def _untaught(model: hf.HFModel, cells: Cells, kind: Kind, seed: int, suite: Suite) -> dict[str, float]:
    """The base model's accuracy, measured once a kind and seed."""
    for cell in cells.select(kind=kind.name, seed=seed):
        return {name: cell[name] for name in ("base", "in_context")}
    return {
        "base": accuracy(model, suite, suite.unseen, BASE),
        "in_context": accuracy(model, suite, suite.unseen, BASE, suite.session.messages),
    }


def true_practice(kind: Kind) -> Prepare:
    """Prepares the product's lesson of a session of the kind, with true variations."""

    def prepare_truly(judged: JudgedSession, config: Config, model: Engine | None, version: str) -> Lesson:
        learn = config.learn
        wanted = learn.variations + learn.held_back
        cases = kind.true_variations(learn.seed, wanted)
        # Where there are fewer, they are parted in the same proportion.
        practised = len(cases) - len(cases) * learn.held_back // max(1, wanted)
        lesson = prepare(judged, settings.with_learn(config, self_asked=0), model, version)
        return with_variations(lesson, cases[:practised], cases[practised:])

    return prepare_truly


def with_variations(lesson: Lesson, practised: Sequence[CaseSpec], held_back: Sequence[CaseSpec]) -> Lesson:
    """A lesson with these in place of all that was derived; what the session itself has stays."""

    def varied(letter: str, cases: Sequence[CaseSpec]) -> tuple[PracticeRequest, ...]:
        return tuple(
            PracticeRequest(
                id=f"{lesson.session_id}/{letter}{i}",
                session_id=lesson.session_id,
                messages=case.messages,
                kind="varied",
                turns=len(case.messages),
                expected=case.answer,
                tools=lesson.tools,
            )
            for i, case in enumerate(cases)
        )

    said = tuple(request for request in lesson.practice if request.kind != "varied")
    return replace(lesson, practice=(*said, *varied("v", practised)), held_back=varied("h", held_back))


def lines(cells: Sequence[dict[str, Any]]) -> report.Lines:
    """One line a kind: medians over the seeds, but of KL the largest. The share of the ceiling is taken seed
    by seed; KL and seconds are of the dreams that practise what the product derives."""
    heads = ["kind", "base", "in context", "after", "ceiling", "after / ceiling", "KL", "seconds", "seeds"]
    out, aside = [heads], {kind.name for kind in ASIDE}
    for kind in dict.fromkeys(c["kind"] for c in cells if c["practice"] == "own"):
        own = [c for c in cells if c["kind"] == kind and c["practice"] == "own"]
        best = {c["seed"]: c["after"] for c in cells if c["kind"] == kind and c["practice"] == "true"}
        line = [
            f"{kind} (aside)" if kind in aside else kind,
            *(_median([c[what] for c in own]) for what in ("base", "in_context", "after")),
            _median([*best.values()]),
            _median([c["after"] / best[c["seed"]] for c in own if best.get(c["seed"])]),
            f"{max(c['kl'] for c in own):.3f}",
            _median([c["seconds"] for c in own], "{:.0f}"),
            str(len(own)),
        ]
        out.append(line)
    return out


def _median(values: Sequence[float], form: str = "{:.2f}") -> str:
    return form.format(median(values)) if values else "-"


def _line(cell: dict[str, Any]) -> str:
    return (
        f"{cell['kind']} / seed {cell['seed']} / {cell['practice']} variations: {cell['base']:.2f} -> "
        f"{cell['after']:.2f} (in context {cell['in_context']:.2f}), KL {cell['kl']:.3f}, "
        f"{sum(cell['practised'].values())} practised, {cell['seconds']:.0f} s"
    )


def main(
    kinds: Annotated[
        list[str] | None, typer.Argument(help=f"Of those of `lessons`; {', '.join(DEFAULT)} by default.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many, from 0 on.")] = 3,
    ceiling: Annotated[bool, typer.Option(help="Dream with true variations, too.")] = True,
    out: Annotated[
        Path, typer.Option(help="Cells go to OUT.jsonl, the table to OUT.json and OUT.md.")
    ] = Path("bench-taught"),
) -> None:
    chosen, config = settings.chosen(kinds or list(DEFAULT), list(KINDS)), settings.config()
    cells, practices = Cells(out.with_suffix(".jsonl")), PRACTICE if ceiling else PRACTICE[:1]
    model = hf.load(config.model)
    run(model, config, [KINDS[name] for name in chosen], range(seeds), practices, cells, report.say)
    title = "Unseen requests right (medians over the seeds; of KL the largest)"
    report.finish({"cells": cells.rows}, out, {title: lines(cells.rows)})
