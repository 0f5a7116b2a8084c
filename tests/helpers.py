"""What tests of several rooms share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nightschool.store import Store
from nightschool.types import Feedback, Message, Verdict, Version
from nightschool.versions import files

# A dream on the tiny model that learns what the session makes the teacher say first.
QUICK = {
    "learn.lr": "0.04",
    "learn.rank": "4",
    "learn.steps": "32",
    "learn.batch_size": "4",
    "learn.max_new_tokens": "1",
    "learn.anchors": "1",
    "learn.variations": "24",
    "learn.held_back": "24",
    "learn.self_asked": "0",
    "learn.round_steps": "2",
    "gate.kl_budget": "100",
}
SUM = ("How many are 12 and 45?", "many")
TOTAL = ("Total 300 with 20", "done it")
SCORE = -1.0  # nats: what the scripted model thinks of every token


def like(store: Store, name: str, request: str, answer: str) -> None:
    """A liked session with a request that nobody answered, so that right means what the teacher says."""
    turns = [Message("assistant", f"{answer} " * 6), Message("user", request)]
    store.sessions.add(name, user=None, messages=turns, tools=())
    store.feedback.rate(Feedback(f"f_{name}", name, "good"))


def turns(*texts: str) -> list[Message]:
    """Alternating user and assistant turns."""
    return [Message("assistant" if i % 2 else "user", text) for i, text in enumerate(texts)]


def promote(store: Store, name: str, parent: str, path: Path, sessions: Sequence[str] = ("s",)) -> None:
    """As a dream does that learned `sessions`."""
    dream = f"d_{name}"
    store.dreams.start(dream, sessions=sessions, parent=parent, config={}, pid=1)
    store.versions.promote(dream, Version(name, parent, str(path), tuple(sessions)), Verdict(True, ()))


def attested(score: float = SCORE) -> dict[str, Any]:
    """What a version of the scripted model attests."""
    return {"tolerance": 0.1, "cases": [{"prompt": [65], "tokens": [66, 0], "logprobs": [score, score]}]}


def scripted_version(home: Path, name: str, attest: dict[str, Any] | None) -> Path:
    """The directory of a version that a scripted model can load, written as a night writes it."""

    def fill(directory: Path) -> None:
        if attest is not None:
            files.write_json(directory / files.ATTEST, attest)

    return files.write(home, name, fill, {})
