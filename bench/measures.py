"""What the benchmarks measure of a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch

from bench.work.cases import Suite
from nightschool.engines.base import Engine, answers
from nightschool.lessons.anchors import probe_anchors
from nightschool.measure.cases import Case, passes
from nightschool.measure.drift import Drift
from nightschool.models.cache import PrefixCache
from nightschool.models.hf import HFModel
from nightschool.models.lora import Adapter
from nightschool.types import BASE, Message

MORE = 8  # tokens: an answer that goes on for longer than the longest right one is cut off here, and wrong
UNCHANGED = 1e-5  # a weight that differs by at most this counts as unchanged (as in arXiv 2505.11711)

# What any instruction-tuned model should still do, and a pattern that the answer must match.
INSTRUCTIONS = (
    ("What is the capital of France? Answer with one word.", r"(?i)^\W*paris\W*$"),
    ("Answer with yes or no only: is ice cold?", r"(?i)^\W*yes\W*$"),
    ("Repeat this word and nothing else: banana", r"(?i)^\W*banana\W*$"),
    ("Which is larger, 3 or 8? Answer with the number only.", r"^\W*8\W*$"),
    ("Name three colours, separated by commas.", r"^[^,]+,[^,]+,[^,]+$"),
    ("Write the word HELLO in capital letters.", r"HELLO"),
    ("What colour is the sky on a clear day?", r"(?i)blue"),
    ("How many days does a week have?", r"(?i)\b(7|seven)\b"),
    ("Translate to French: Good morning.", r"(?i)bonjour"),
    ("What is 2 + 2?", r"\b(4|four)\b"),
    ("Write a sentence about a cat.", r"(?i)\bcat\b"),
    ("List two fruits, one per line.", r"^[^\n]+\n+[^\n]+"),
    ("Who wrote Romeo and Juliet?", r"(?i)shakespeare"),
    ("What is the opposite of hot?", r"(?i)cold"),
    ("Say thank you in Spanish.", r"(?i)gracias"),
    ("Which planet do we live on?", r"(?i)earth"),
)


def accuracy(
    model: HFModel,
    suite: Suite,
    cases: Sequence[Case],
    version: str,
    before: Sequence[Message] = (),
    prefix: PrefixCache | None = None,
) -> float:
    """Share of a suite's cases that are answered right, decoded greedily. The turns of `before` stand before
    every case, and `prefix` before those."""
    longest = max((len(model.encode_answer(suite.answers[case.id])) for case in cases), default=0)
    prompts = [model.encode([*before, *case.messages], suite.session.tools) for case in cases]
    said = answers(model, prompts, version, longest + MORE, prefix)
    return sum(passes(c.check, text) for c, text in zip(cases, said, strict=True)) / max(1, len(cases))


def baselines(model: HFModel, suite: Suite) -> dict[str, float]:
    """The base model's accuracy without the suite's session, and with it in its context."""
    session = suite.session.messages
    return {
        "base": accuracy(model, suite, suite.unseen, BASE),
        "in_context": accuracy(model, suite, suite.unseen, BASE, session),
        "in_context_adjacent": accuracy(model, suite, suite.adjacent, BASE, session),
    }


def unrelated(model: HFModel, before: Sequence[Message] = ()) -> list[tuple[int, ...]]:
    """The prompts of unrelated requests, each behind the turns of `before`."""
    return [tuple(model.encode([*before, Message("user", text)])) for text in probe_anchors()]


def drift_from_base(model: HFModel) -> Drift:
    """Measures a version's KL to base on unrelated requests."""
    return Drift(model, unrelated(model))


def instructions(model: Engine, version: str, before: Sequence[Message] = ()) -> float:
    """Share of `INSTRUCTIONS` that are followed."""
    prompts = [model.encode([*before, Message("user", text)]) for text, _ in INSTRUCTIONS]
    said = answers(model, prompts, version, 32)
    return sum(bool(re.search(r, t)) for (_, r), t in zip(INSTRUCTIONS, said, strict=True)) / len(said)


@torch.no_grad()
def sparsity(model: HFModel, adapter: Adapter) -> float:
    """Share of the adapted layers' weights that stay unchanged when the adapter is merged in bfloat16."""
    same = total = 0
    for name, group in adapter.groups.items():
        a, b = adapter.masters[name]
        parts = zip(group.parts, a.split(adapter.rank), b.split(group.outputs), strict=True)
        for (part, _), a_i, b_i in parts:
            weight = model.runner.weight(part).to(torch.bfloat16)
            merged = (weight.float() + b_i @ a_i).to(torch.bfloat16)
            same += int(((merged.float() - weight.float()).abs() <= UNCHANGED).sum())
            total += weight.numel()
    return same / total


def reset_peak_memory() -> None:
    """Start `peak_memory` afresh (Linux only)."""
    resets = Path("/proc/self/clear_refs")
    if resets.exists():
        resets.write_text("5")


def peak_memory() -> int | None:
    """Peak bytes of this process since `reset_peak_memory`; None where the system does not say."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else None
