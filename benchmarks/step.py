"""Seconds per training step, by length of the session, beside TRL's SDFTTrainer on equal work.

    python -m benchmarks.step [--rules opsd] [--lengths 256 1024 4096] [--repeats 5] [--peers] [--dreamt]
                              [--out docs/results/step]

A step is 8 requests, 8 rollouts of exactly 40 tokens from the student (rank 16 on all linear layers), the
teacher's forward behind the session, forward KL over the full vocabulary, backward, AdamW. `--peers` runs
TRL's in `.bench/trl` (`make bench`). `--dreamt` takes a step as a dream does after its warm-up: half of the
answers are right ones, of which the teacher was asked beforehand, tries end where they end, anchors beside.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import describe, write
from nightschool.config import LearnConfig, load
from nightschool.demo import unseen
from nightschool.learn.admission import admit
from nightschool.learn.anchors import Rehearsal
from nightschool.learn.drills import course
from nightschool.learn.rules import RULES
from nightschool.learn.rules.common import Teaching
from nightschool.learn.trainer import StepReport, train
from nightschool.models import embedded, hf
from nightschool.night import anchor_pool
from nightschool.types import BASE, Lesson, Message, PracticeRequest

BATCH, TOKENS = 8, 40
ROUND = LearnConfig().ahead  # steps whose rollouts are sampled together
PARTS = ("rollout_s", "teacher_s", "student_s")


def session(model: hf.HFModel, tokens: int) -> list[Message]:
    """Invoices and their lines, as many turns as fit into `tokens`."""
    turns: list[Message] = []
    for invoice in unseen(400, seed=3):
        more = [*turns, Message("user", invoice.mail), Message("assistant", invoice.line)]
        if len(model.encode(more, generate=False)) > tokens:
            break
        turns = more
    return turns


def ours(model: hf.HFModel, rule: str, tokens: int, repeats: int, dreamt: bool) -> list[dict[str, float]]:
    """The parts of each step's seconds."""
    requests = [
        PracticeRequest(str(i), "s", (Message("user", v.mail),), "varied", expected=v.line)
        for i, v in enumerate(unseen(BATCH * ROUND * (repeats + 1), seed=5))
    ]
    lesson = Lesson("s", tuple(session(model, tokens)), tuple(requests), ())
    alike: dict[str, Any] = {"anchors": 0, "informed_share": 0, "max_new_tokens": TOKENS}
    more = {"warm_up": 0} if dreamt else alike
    config = LearnConfig(steps=ROUND * (repeats + 1), batch=BATCH, ahead=ROUND, **more)
    teaching, taught = Teaching(model, BASE, config), course(model, lesson, requests, BASE)
    if dreamt:
        ((_, seats),) = admit(teaching, [taught])
        taught = replace(taught, drills=tuple(seat.drill for seat in seats))
    steps: list[StepReport] = []
    with tempfile.TemporaryDirectory() as folder:
        train(
            model,
            RULES[rule](teaching),
            [taught],
            anchor_pool(model, config.seed),
            Rehearsal([], 0),
            model.fresh_adapter(config.rank, 0),
            config,
            measure=lambda: [],
            report=steps.append,
            folder=Path(folder),
        )
    return [
        {part: getattr(step, part) for part in PARTS} for step in steps[ROUND:]
    ]  # the first round warms up


def trl(model: hf.HFModel, tokens: int, repeats: int) -> dict[str, Any]:
    """TRL's seconds per step, the first one left out, and its peak memory."""
    work = {
        "model": str(embedded.ensure()),
        "dtype": str(model.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "session": "\n\n".join(m.content for m in session(model, tokens)),
        "requests": [v.mail for v in unseen(BATCH, seed=5)],
        "batch": BATCH,
        "tokens": TOKENS,
        "steps": repeats + 1,
    }
    python, script = Path(".bench/trl/bin/python"), "benchmarks/peers/trl_step.py"
    done = subprocess.run(
        [python, script], input=json.dumps(work), stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "seconds": found["seconds"][1:]}


def floor_seconds(model: hf.HFModel) -> float:
    """The step's products at the speed of one large product, no attention: forward of prompts and answers by
    student (to sample) and teacher, forward and backward by the student, heads at the answers."""
    net = model.runner.net
    head: int = net.get_output_embeddings().weight.numel()
    body: int = sum(p.numel() for p in net.model.layers.parameters())
    prompt = len(model.encode([Message("user", unseen(1, seed=5)[0].mail)]))
    tokens, answers = BATCH * (prompt + TOKENS), BATCH * TOKENS
    operations = 2 * body * tokens * (1 + 1 + 2) + 2 * head * answers * (1 + 1 + 2)
    return operations / _peak(model)


def _peak(model: hf.HFModel) -> float:
    """Operations per second of a large product in the model's dtype."""
    a, b = (torch.randn(2048, 2048, device=model.device).to(model.dtype) for _ in range(2))
    seconds = []
    for _ in range(7):
        began = time.perf_counter()
        float((a @ b)[0, 0])
        seconds.append(time.perf_counter() - began)
    return float(2 * 2048**3 / min(seconds))


def _row(model: hf.HFModel, rule: str, tokens: int, repeats: int, dreamt: bool) -> dict[str, Any]:
    steps = ours(model, rule, tokens, repeats, dreamt)
    return {
        "rule": rule,
        "session": tokens,
        "ours": _middle([sum(step.values()) for step in steps]),
        **{part: statistics.median(step[part] for step in steps) for part in PARTS},
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _middle(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", nargs="+", default=["opsd"], choices=[r for r in RULES if r != "sft"])
    parser.add_argument("--lengths", type=int, nargs="+", default=[256, 1024, 4096])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--dreamt", action="store_true")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    model = hf.load(load(env=os.environ).model)
    if not chosen.dreamt:
        model.eos = [-1]  # never sampled: every rollout has its full length
    # Ours first, one length after the other: the machine is not the same ten minutes later.
    wanted = [(rule, length) for rule in chosen.rules for length in chosen.lengths]
    rows = []
    for one in wanted:
        rows.append(_row(model, *one, chosen.repeats, chosen.dreamt))
        print(_line(rows[-1]), flush=True)
    for row in rows:
        if chosen.peers and row["rule"] == chosen.rules[0]:
            theirs = trl(model, row["session"], chosen.repeats)
            row |= {"trl": _middle(theirs["seconds"]), "trl_peak_memory_bytes": theirs["peak_memory_bytes"]}
            print(_line(row), flush=True)
    floor = floor_seconds(model)
    first = rows[0]["ours"]["median"]
    by_rule = {rule: [r["ours"]["median"] for r in rows if r["rule"] == rule] for rule in chosen.rules}
    summary = {
        "machine": describe(),
        "dtype": str(model.dtype),
        "floor_seconds": floor,
        "share_of_floor": floor / first,
        "last_over_first": {rule: seconds[-1] / seconds[0] for rule, seconds in by_rule.items()},
        "rows": rows,
    }
    if chosen.peers:
        summary["times_faster_than_trl"] = [
            r["trl"]["median"] / r["ours"]["median"] for r in rows if "trl" in r
        ]
    print({k: v for k, v in summary.items() if k != "rows"})
    write(chosen.out, summary)


def _line(row: dict[str, Any]) -> str:
    text = f"{row['rule']}, session {row['session']:5d}: {row['ours']['median']:.2f} s"
    text += f" ({row['ours']['min']:.2f} to {row['ours']['max']:.2f}) = "
    text += " + ".join(f"{part.removesuffix('_s')} {row[part]:.2f}" for part in PARTS)
    if "trl" in row:
        text += f"   TRL {row['trl']['median']:.2f} s ({row['trl']['min']:.2f} to {row['trl']['max']:.2f})"
    return text


if __name__ == "__main__":
    main()
