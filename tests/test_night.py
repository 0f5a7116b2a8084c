"""A whole night on the tiny model. It is random, so its teacher knows nothing; but what the session makes the
teacher say first can be learned."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from nightschool import night
from nightschool.config import Config, load
from nightschool.errors import Interrupted, NothingToLearn
from nightschool.models import hf
from nightschool.store import Store
from nightschool.types import BASE, Feedback, Message
from nightschool.versions import files

QUICK = {
    "learn.lr": "0.04",
    "learn.rank": "4",
    "learn.steps": "16",
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
Dream = Callable[..., night.Outcome]


def like(store: Store, name: str, request: str, answer: str) -> None:
    """A liked session with a request that nobody answered, so that right means what the teacher says."""
    turns = [Message("assistant", f"{answer} " * 6), Message("user", request)]
    store.import_session(name, user=None, messages=turns, tools=(), feedback=None)
    store.rate(Feedback(f"f_{name}", name, "good"))


@pytest.fixture
def settings(tiny_dir: Path) -> dict[str, str]:
    return {**QUICK, "model.id": str(tiny_dir), "model.dtype": "float32"}


@pytest.fixture
def dream(store: Store, home: Path, settings: dict[str, str]) -> Dream:
    """Run one night: dream(sessions, setting=value)."""

    def run(wanted: tuple[str, ...] = (), **changes: str) -> night.Outcome:
        config = load(settings | {k.replace("__", "."): v for k, v in changes.items()}, env={})
        with store.dreaming():
            plan = night.resume_or_start(store, config, wanted)
            return night.dream(hf.load(plan.config.model), store, home, plan)

    return run


def test_what_was_liked_is_learned_and_goes_live(store: Store, home: Path, dream: Dream) -> None:
    like(store, "sum", *SUM)
    outcome = dream()
    assert outcome.verdict.promote, outcome.verdict.reasons
    assert store.live() == outcome.version == "nightschool@1"
    rates = outcome.verdict.numbers["new"]["sum"]
    assert rates["after"] > rates["before"]
    record = files.provenance(Path(store.version("nightschool@1").path))
    assert (record["parent"], record["sessions"], record["seed"]) == (BASE, ["sum"], 0)
    assert Config.model_validate(record["config"]).learn.lr == 0.04
    assert record["verdict"]["numbers"]["new"]["sum"] == rates
    assert {"adapter_model.safetensors", "adapter_config.json", "attest.json", "lessons.json"} == set(
        record["sha256"]
    )
    row = store.dream(outcome.dream_id)
    assert (row["status"], row["version"], row["verdict"]["promote"]) == ("promoted", "nightschool@1", True)
    assert not (home / "dreams" / outcome.dream_id).exists()
    with pytest.raises(NothingToLearn, match="no liked session is new"):
        dream()


def test_a_second_night_goes_on_from_the_first_and_defends_it(store: Store, dream: Dream) -> None:
    like(store, "sum", *SUM)
    dream()
    like(store, "total", *TOTAL)
    outcome = dream()
    assert set(outcome.verdict.numbers["earlier"]) == {"sum"}
    if outcome.version:
        assert store.version(outcome.version).parent == "nightschool@1"
    assert store.dream(outcome.dream_id)["parent"] == "nightschool@1"


def test_a_refused_candidate_changes_nothing_and_says_why(store: Store, dream: Dream) -> None:
    like(store, "sum", *SUM)
    outcome = dream(gate__kl_budget="0")
    assert outcome.version is None
    assert "drift" in outcome.verdict.reasons[0]
    assert store.live() == BASE
    assert store.versions() == []
    assert store.dream(outcome.dream_id)["status"] == "rejected"
    # It is not learned, so it is tried again; but not by a server that dreams by itself, every minute.
    assert night.tried(store)
    like(store, "more", *SUM)
    assert not night.tried(store)
    store.retract("more")
    assert dream().verdict.promote
    assert not night.tried(store)


def test_no_probes_is_rejected(store: Store, dream: Dream) -> None:
    like(store, "sum", *SUM)
    outcome = dream(learn__held_back="0", learn__steps="1")
    assert not outcome.verdict.promote
    assert "no probes" in outcome.verdict.reasons[0]


def test_only_liked_sessions_are_learned(store: Store, dream: Dream) -> None:
    like(store, "sum", *SUM)
    store.rate(Feedback("f2", "sum", "bad"))
    for wanted in ((), ("sum",)):
        with pytest.raises(NothingToLearn):
            dream(wanted)


def test_a_full_disk_interrupts_and_the_next_dream_goes_on(
    store: Store, dream: Dream, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from nightschool.learn import checkpoint

    like(store, "sum", *SUM)
    save, calls = checkpoint.save, []

    def full(*args: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.raises(Interrupted, match=r"disk is full .* goes on where it was"):
        dream()
    assert store.dreams()[0]["status"] == "interrupted"
    assert store.live() == BASE
    outcome = dream()
    assert outcome.version
    assert outcome.dream_id == store.dreams()[0]["id"]
    assert len(store.dreams()) == 1


def test_a_session_disliked_meanwhile_is_not_learned_by_a_resumed_night(
    store: Store, dream: Dream, settings: dict[str, str]
) -> None:
    like(store, "sum", *SUM)
    with store.dreaming():
        night.resume_or_start(store, load(settings, env={}), ())
    store.rate(Feedback("f2", "sum", "bad"))
    with pytest.raises(NothingToLearn):
        dream()
    assert store.dreams()[0]["status"] == "failed"


def test_a_damaged_live_version_stops_the_night_with_a_way_out(store: Store, dream: Dream) -> None:
    like(store, "sum", *SUM)
    dream()
    weights = Path(store.version("nightschool@1").path) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    like(store, "total", *TOTAL)
    with pytest.raises(Interrupted, match="damaged; go back with `nightschool rollback`"):
        dream()


def _command(home: Path, settings: dict[str, str], *arguments: str) -> list[str]:
    flags = [part for key, value in settings.items() for part in (f"--{key}", value)]
    return [sys.executable, "-m", "nightschool", *arguments, "--json", *flags]


def test_a_dream_killed_with_kill_9_ends_where_it_would_have(
    store: Store, home: Path, dream: Dream, settings: dict[str, str], tmp_path: Path
) -> None:
    like(store, "sum", *SUM)
    command = _command(home, settings, "dream")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    assert any("step 5/" in line for line in process.stderr)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert store.live() == BASE
    assert store.dreams()[0]["status"] == "running"
    assert store.running_dream() is None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["dream"] == store.dreams()[0]["id"]
    resumed = (home / "versions" / outcome["version"] / "adapter_model.safetensors").read_bytes()

    # The same night, never killed, in a home of its own.
    other = tmp_path / "other"
    with closing(Store.open(other)) as fresh:
        like(fresh, "sum", *SUM)
        with fresh.dreaming():
            plan = night.resume_or_start(fresh, load(settings, env={}), ())
            whole = night.dream(hf.load(plan.config.model), fresh, other, plan)
    assert (other / "versions" / str(whole.version) / "adapter_model.safetensors").read_bytes() == resumed
