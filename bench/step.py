"""Seconds per training step, by length of the session, beside TRL's SDFTTrainer on equal work.

A step is 8 requests, 8 rollouts of exactly 40 tokens from the student (rank 16 on all linear layers), the
teacher's forward behind the session, forward KL over the full vocabulary, backward, AdamW. `--peers` runs
TRL's in `.bench/trl` (`make bench`). `--dreamt` takes a step as a dream does after its warm-up: half of the
answers are known ones, which the teacher scored beforehand, rollouts end where they end, and anchors are
added.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from bench import report, settings
from bench.work.cases import conversation
from bench.work.kinds import invoice_cases
from nightschool.config import RULES, LearnConfig, OpsdConfig
from nightschool.learn.admission import admit
from nightschool.learn.examples import practice_set
from nightschool.learn.replay import Rehearsal
from nightschool.learn.rule import RuleContext
from nightschool.learn.rules import make
from nightschool.learn.student import Student
from nightschool.learn.trainer import Practice, StepReport, train
from nightschool.models import embedded, hf
from nightschool.night.learn import anchor_pool
from nightschool.types import BASE, Lesson, Message, PracticeRequest

BATCH, TOKENS = 8, 40  # requests a step, tokens an answer
ROUND = LearnConfig().round_steps  # steps whose rollouts are sampled together
REQUESTS = 5  # the seed of the invoices asked about, other than the session's (3)
PARTS = ("rollout_s", "teacher_s", "student_s")


def session(model: hf.HFModel, tokens: int) -> list[Message]:
    """Invoices and their lines, as many exchanges as fit into `tokens`."""
    turns: list[Message] = []
    for case in invoice_cases(400, seed=3):
        more = [*turns, *conversation([case])]
        if len(model.encode(more, generate=False)) > tokens:
            break
        turns = more
    return turns


def ours(model: hf.HFModel, rule: str, tokens: int, repeats: int, dreamt: bool) -> list[dict[str, float]]:
    """Seconds of each step, by part."""
    requests = [
        PracticeRequest(str(i), "s", case.messages, "varied", expected=case.answer)
        for i, case in enumerate(invoice_cases(BATCH * ROUND * (repeats + 1), seed=REQUESTS))
    ]
    lesson = Lesson("s", tuple(session(model, tokens)), tuple(requests), ())
    alike: dict[str, Any] = {
        "anchors": 0,
        "opsd": OpsdConfig(reference_fraction=0),
        "max_new_tokens": TOKENS,
    }
    more = {"opsd": OpsdConfig(reference_steps=0)} if dreamt else alike
    config = LearnConfig(steps=ROUND * (repeats + 1), batch_size=BATCH, round_steps=ROUND, **more)
    context, taught = RuleContext(model, BASE, config), practice_set(model, lesson, requests, BASE)
    if dreamt:
        ((_, candidates),) = admit(context, [lesson], [taught])
        taught = replace(taught, examples=tuple(candidate.example for candidate in candidates))
    steps: list[StepReport] = []
    with tempfile.TemporaryDirectory() as folder:
        practice = Practice([taught], anchor_pool(model, config.seed), Rehearsal([], 0), measure=lambda: [])
        student = Student(model.fresh_adapter(config.rank, 0), config, Path(folder))
        train(context, make(rule, context), practice, student, config.steps, steps.append)
    timed = steps[ROUND:]  # the first round warms up
    return [{part: getattr(step, part) for part in PARTS} for step in timed]


def trl(model: hf.HFModel, tokens: int, repeats: int) -> dict[str, Any]:
    """TRL's seconds per step, the first one left out, and its peak memory."""
    work = {
        "model": str(embedded.ensure()),
        "dtype": str(model.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "session": "\n\n".join(m.content for m in session(model, tokens)),
        "requests": [case.messages[0].content for case in invoice_cases(BATCH, seed=REQUESTS)],
        "batch": BATCH,
        "tokens": TOKENS,
        "steps": repeats + 1,
    }
    python, script = Path(".bench/trl/bin/python"), "bench/peers/trl_step.py"
    done = subprocess.run(
        [python, script], input=json.dumps(work), stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "seconds": found["seconds"][1:]}


def floor_seconds(model: hf.HFModel) -> float:
    """A lower bound: the step's matrix products, without attention, at the speed of one large product.
    Student (to sample) and teacher run forward over prompts and answers, the student forward and backward,
    all three with the head at the answers."""
    net = model.runner.net
    head: int = net.get_output_embeddings().weight.numel()
    body: int = sum(p.numel() for p in net.model.layers.parameters())
    prompt = len(model.encode(invoice_cases(1, seed=REQUESTS)[0].messages))
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


def main(
    lengths: Annotated[list[int] | None, typer.Argument(help="Tokens; 256 1024 4096 by default.")] = None,
    rule: Annotated[list[str] | None, typer.Option(help="Can be repeated; opsd by default.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help=f"Rounds of {ROUND} steps; medians are shown.")] = 5,
    peers: Annotated[bool, typer.Option("--peers", help="TRL's step, too, beside the first rule.")] = False,
    dreamt: Annotated[bool, typer.Option("--dreamt", help="A step as a dream takes it.")] = False,
    out: Annotated[Path | None, typer.Option(help="Keep the result as OUT.json.")] = None,
) -> None:
    rules = settings.chosen(rule or ["opsd"], [name for name in RULES if name != "sft"])
    model = hf.load(settings.config().model)
    if not dreamt:
        model.eos = [-1]  # never sampled: every rollout has its full length
    rows = []
    # Ours first, one length after the other: the machine is not the same ten minutes later.
    for name in rules:
        for length in lengths or (256, 1024, 4096):
            rows.append(_row(model, name, length, repeats, dreamt))
            report.say(_line(rows[-1]))
    for row in rows if peers else ():
        if row["rule"] == rules[0]:
            theirs = trl(model, row["session"], repeats)
            row |= {"trl": _middle(theirs["seconds"]), "trl_peak_memory_bytes": theirs["peak_memory_bytes"]}
            report.say(_line(row))
    report.finish({"dtype": str(model.dtype), **_summary(model, rows), "rows": rows}, out)


def _summary(model: hf.HFModel, rows: list[dict[str, Any]]) -> dict[str, Any]:
    floor = floor_seconds(model)
    by_rule: dict[str, list[float]] = {}
    for row in rows:
        by_rule.setdefault(row["rule"], []).append(row["ours"]["median"])
    summary: dict[str, Any] = {
        "floor_seconds": floor,
        "share_of_floor": floor / rows[0]["ours"]["median"],
        "last_over_first": {rule: seconds[-1] / seconds[0] for rule, seconds in by_rule.items()},
    }
    faster = {row["session"]: row["trl"]["median"] / row["ours"]["median"] for row in rows if "trl" in row}
    return summary | ({"times_faster_than_trl": faster} if faster else {})


def _line(row: dict[str, Any]) -> str:
    text = f"{row['rule']}, session {row['session']:5d}: {row['ours']['median']:.2f} s"
    text += f" ({row['ours']['min']:.2f} to {row['ours']['max']:.2f}) = "
    text += " + ".join(f"{part.removesuffix('_s')} {row[part]:.2f}" for part in PARTS)
    if "trl" in row:
        text += f"   TRL {row['trl']['median']:.2f} s ({row['trl']['min']:.2f} to {row['trl']['max']:.2f})"
    return text
