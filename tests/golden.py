"""A golden trace: what two nights on the tiny model do, step by step, for each learning rule.

A refactor leaves the losses as they are. Where they are meant to change, `python -m tests.golden` writes them
anew and prints each adapter's sha256: on one machine that stays the same from commit to commit, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from nightschool.config import load
from nightschool.learn.trainer import StepReport
from nightschool.models import hf
from nightschool.night.dream import dream as dream_it
from nightschool.night.judge import ungated
from nightschool.night.queue import resume_or_start
from nightschool.store import Store
from nightschool.types import Feedback, Message
from tests.helpers import QUICK, SUM

LOSSES = Path(__file__).with_name("golden.json")
FIRST = QUICK | {
    "model.dtype": "float32",
    "learn.lr": "0.02",
    "learn.steps": "4",
    "learn.anchors": "2",
}
# The second night: small steps, so that rounding does not grow.
SECOND = FIRST | {
    "learn.lr": "0.001",
    "learn.steps": "6",
    "learn.max_new_tokens": "6",
}
OPSD, RLVR = {"learn.opsd.reference_steps": "2"}, {"learn.rlvr.group_size": "2"}
RULES: dict[str, dict[str, str]] = {
    "opsd": OPSD,
    "trd-rewrite": OPSD,
    "trd-from-error": OPSD,
    "cd": {},
    "sft": {},
    "rlvr": RLVR,
    "opsd+rlvr": OPSD | RLVR,
    "auto": OPSD | RLVR | {"learn.auto.bakeoff_steps": "2"},
}
WORK = {
    "bills": (
        ("Pay INV-20 to Acme Ltd", "Acme Ltd INV-20"),
        ("Pay INV-31 to Bell Ltd", "Bell Ltd INV-31"),
        ("Where is it?", "aaaaaa aaaaaa"),
    ),
    "people": (
        ("Pay 20 to Ann Smith", "20 Ann Smith"),
        ("Pay 31 to Bob Jones", "31 Bob Jones"),
        ("What now?", "no no"),
        ("Done?", "yes"),
    ),
}


def like(store: Store, name: str, messages: list[Message]) -> None:
    store.sessions.add(name, user=None, messages=messages, tools=())
    store.feedback.rate(Feedback(f"like-{name}", name, "good"))


class _Losses:
    """Notes the loss and the anchors' loss of each step."""

    def __init__(self, into: list[list[float]]) -> None:
        self._into = into

    def stage(self, name: str) -> None: ...

    def step(self, step: StepReport) -> None:
        self._into.append([step.loss, step.anchor_loss])


def dream(model: Path, home: Path, settings: dict[str, str]) -> tuple[list[list[float]], str]:
    """The loss and the anchors' loss of each step, and the sha256 of the student's weights."""
    config = load(settings | {"model.id": str(model)}, env={})
    losses: list[list[float]] = []
    with closing(Store.open(home)) as store, store.dreams.lock():
        plan = resume_or_start(store, config, ())
        loaded = hf.load(config.model)
        dream_it(loaded, store, home, plan, gate=ungated, watch=_Losses(losses))
    student = loaded.adapter("student")
    assert student
    weights = b"".join(t.detach().numpy().tobytes() for t in student.parameters())
    return losses, hashlib.sha256(weights).hexdigest()


def trace(model: Path, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Losses and sha256 of the first night and, by rule, of the second, which goes on from it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        first = folder / "first"
        with closing(Store.open(first)) as store:
            like(store, "sum", [Message("user", SUM[0]), Message("assistant", SUM[1])])
        losses, sha = dream(model, first, FIRST)
        with closing(Store.open(first)) as store:
            assert store.versions.live() == "nightschool@1"
            for name, turns in WORK.items():
                like(
                    store, name, [m for q, a in turns for m in (Message("user", q), Message("assistant", a))]
                )
        found, shas = {"first": losses}, {"first": sha}
        for rule, own in RULES.items():
            home = folder / rule
            shutil.copytree(first, home)
            found[rule], shas[rule] = dream(model, home, SECOND | own | {"learn.rule": rule})
    finally:
        torch.set_num_threads(threads)
    return found, shas


def main() -> None:
    from tests.conftest import tiny_net, tiny_tokenizer

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["NIGHTSCHOOL_HOME"] = str(folder / "unused")
        tiny_net().save_pretrained(folder / "model")
        tiny_tokenizer().save_pretrained(folder / "model")
        losses, shas = trace(folder / "model", folder)
    LOSSES.write_text(json.dumps(losses, indent=1) + "\n")
    for rule, sha in shas.items():
        print(sha[:16], rule, len(losses[rule]))


if __name__ == "__main__":
    main()
