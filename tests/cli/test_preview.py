"""What a dream would practise, shown beforehand."""

from pathlib import Path

import pytest
from rich.console import Console

from nightschool.cli.preview import preview, print_preview
from nightschool.config import Config, load
from nightschool.errors import NotFound
from nightschool.store import Store
from nightschool.types import BASE, Feedback, Message

FIELDS = {"id", "kind", "request", "prompt_tokens", "answer", "known", "gap", "dropped"}


@pytest.fixture
def config(tiny_dir: Path) -> Config:
    settings = {"learn.variations": "8", "learn.held_back": "4", "learn.max_new_tokens": "1"}
    return load({**settings, "model.id": str(tiny_dir), "model.dtype": "float32"}, env={})


@pytest.fixture
def session(store: Store) -> str:
    """One request with a known answer, and one where right is what the session makes the teacher say."""
    turns = [
        Message("user", "Pay INV-20 to Acme Ltd"),
        Message("assistant", "Acme Ltd INV-20"),
        Message("assistant", "many " * 6),
        Message("user", "How many are 12 and 45?"),
    ]
    store.sessions.add("work", user=None, messages=turns, tools=())
    store.feedback.rate(Feedback("f", "work", "good"))
    return "work"


def test_every_request_is_there_with_its_gap_or_why_it_is_not_practised(
    home: Path, config: Config, session: str
) -> None:
    found = preview(config, home, session)
    assert (found["session"], found["version"]) == (session, BASE)
    assert {"practised", "dropped", "held_back", "ceiling", "teacher", "stretches", "drops"} < found.keys()
    assert all(row.keys() == FIELDS for row in found["practice"])
    kept = [row for row in found["practice"] if row["dropped"] is None]
    assert len(kept) >= sum(found["practised"].values()) > 0
    assert all(row["gap"] >= 0.05 for row in kept)
    recorded = {row["request"]: row for row in found["practice"] if row["kind"] == "recorded"}
    assert recorded["Pay INV-20 to Acme Ltd"]["known"]
    assert recorded["Pay INV-20 to Acme Ltd"]["answer"].startswith("Acme Ltd INV-20")


def test_it_is_printed_with_what_is_practised_first(home: Path, config: Config, session: str) -> None:
    found = preview(config, home, session)
    console = Console(width=200, record=True)
    print_preview(found, console)
    head, *rows, last = console.export_text().splitlines()
    assert head.split() == ["kind", "gap", "request", "right", "answer"]
    assert len(rows) == len(found["practice"]) + len(found["drops"])
    assert last.startswith("Practised: ")
    reasons = {row["dropped"] for row in found["practice"]} - {None}
    dropped = [any(reason in row for reason in reasons) for row in rows[: len(found["practice"])]]
    assert dropped == sorted(dropped)
    assert any(dropped)


def test_an_unknown_session_is_said_before_a_model_is_loaded(home: Path) -> None:
    with pytest.raises(NotFound, match="there is no session nobody"):
        preview(Config(), home, "nobody")
