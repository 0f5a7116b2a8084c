"""Accuracy and drift against seconds of a dream, by kind of session; and the seconds to 0.95 of the ceiling.

    python -m benchmarks.curve [--seeds 0] [--out docs/results/curve] [KIND ...] [--learn.x y]

Every few steps the student answers 40 unseen cases greedily (exact match) and its KL to base on unrelated
requests is taken; the clock stands still meanwhile.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, write
from benchmarks.sessions import KINDS, Turn
from nightschool import night
from nightschool.config import Config, load
from nightschool.gate.drift import Drift
from nightschool.learn.classroom import encode
from nightschool.learn.trainer import STUDENT, StepReport
from nightschool.lessons.anchors import probe_anchors
from nightschool.models import hf
from nightschool.store import Store
from nightschool.types import BASE, Feedback, Message


def like(store: Store, name: str) -> None:
    """Record a kind's session, liked."""
    messages = [m for q, a in KINDS[name].session for m in (Message("user", q), Message("assistant", a))]
    store.import_session(name, user=None, messages=messages, tools=(), feedback=None)
    store.rate(Feedback(f"like-{name}", name, "good"))


class Exam:
    """Unseen cases, asked without a session or behind one."""

    def __init__(self, model: hf.HFModel, cases: list[Turn]) -> None:
        self._model, self._cases = model, cases

    def __call__(self, version: str, before: tuple[Message, ...] = ()) -> float:
        prompts = [self._model.encode([*before, Message("user", q)]) for q, _ in self._cases]
        answers = [self._model.encode_answer(a) for _, a in self._cases]
        right = self._model.agrees(list(zip(prompts, answers, strict=True)), version)
        return sum(right) / len(right)


def run(model: hf.HFModel, drift: Drift, name: str, config: Config) -> dict[str, Any]:
    """One dream's training, watched."""
    exam = Exam(model, KINDS[name].cases(random.Random(config.learn.seed + 77)))
    points: list[dict[str, float]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Store.open(Path(folder))) as store,
        store.dreaming(),
    ):
        like(store, name)
        plan = night.resume_or_start(store, config, ())
        began, away = time.perf_counter(), 0.0
        (lesson,) = night.prepare(store, [name], config.learn)
        room = encode(model, lesson, plan.parent, config.learn)
        setup = time.perf_counter() - began

        def report(step: StepReport) -> None:
            nonlocal away
            if step.step % config.learn.round_steps and step.step != step.steps:
                return
            now = time.perf_counter()
            points.append(
                {
                    "step": step.step,
                    "seconds": now - began - away,
                    "held_back": step.accuracy or 0.0,
                    "unseen": exam(STUDENT),
                    "kl": drift(STUDENT),
                    "loss": step.loss,
                }
            )
            away += time.perf_counter() - now
            print("   ", {k: round(v, 3) for k, v in points[-1].items()}, flush=True)

        student = night.start_adapter(model, plan)
        best = night.learn(model, plan, [room], [], student, Path(folder) / "dream", store, report)
        total = time.perf_counter() - began - away
        ceiling = exam(BASE, store.session(name).messages)
    return {
        "kind": name,
        "seed": config.learn.seed,
        "ceiling": ceiling,
        "unseen": exam(STUDENT),
        "kl": drift(STUDENT),
        "best_step": best.best_step,
        "setup_seconds": setup,
        "seconds": total,
        "seconds_to_95": next((p["seconds"] for p in points if p["unseen"] >= 0.95 * ceiling), None),
        "curve": points,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path)
    known, settings = parser.parse_known_args()
    given = {key.removeprefix("--"): value for key, value in zip(settings[::2], settings[1::2], strict=True)}
    config = load(given)
    model = hf.load(config.model)
    drift = Drift(model, [night.general_prompt(model, text) for text in probe_anchors()])
    rows = []
    for seed in known.seeds:
        seeded = config.model_copy(update={"learn": config.learn.model_copy(update={"seed": seed})})
        for name in known.kinds:
            print(name, seed, flush=True)
            rows.append(run(model, drift, name, seeded))
            print({k: v for k, v in rows[-1].items() if k != "curve"}, flush=True)
    write(known.out, {"machine": describe(), "rows": rows})


if __name__ == "__main__":
    main()
