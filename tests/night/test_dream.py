"""A whole night on the tiny model. It is random, so its teacher knows nothing; but what the session makes the
teacher say first can be learned."""

import errno
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from nightschool.config import RULES, Config, load
from nightschool.errors import DreamError, Interrupted, NothingToLearn, StoreError
from nightschool.learn import checkpoint
from nightschool.learn.encoding import encode
from nightschool.learn.student import STUDENT
from nightschool.learn.trainer import StepReport
from nightschool.models import hf
from nightschool.models.hf import HFModel
from nightschool.night import dream as dream_module
from nightschool.night.dream import dream as dream_it
from nightschool.night.judge import ungated
from nightschool.night.outcome import Outcome
from nightschool.night.queue import pending, resume_or_start, tried
from nightschool.store import Store
from nightschool.types import BASE, Feedback, Lesson
from nightschool.versions import files
from tests import golden
from tests.helpers import QUICK, SUM, TOTAL, like, turns

Dream = Callable[..., Outcome]


@pytest.fixture
def settings(tiny_dir: Path) -> dict[str, str]:
    return {**QUICK, "model.id": str(tiny_dir), "model.dtype": "float32"}


@pytest.fixture
def dream(store: Store, home: Path, settings: dict[str, str]) -> Dream:
    """Run one night: dream(sessions, setting=value)."""

    def run(wanted: tuple[str, ...] = (), **changes: str) -> Outcome:
        config = load(settings | {k.replace("__", "."): v for k, v in changes.items()}, env={})
        with store.dreams.lock():
            plan = resume_or_start(store, config, wanted)
            return dream_it(hf.load(plan.config.model), store, home, plan)

    return run


def test_what_was_liked_is_learned_and_goes_live(store: Store, home: Path, dream: Dream) -> None:
    like(store, "sum", *SUM)
    outcome = dream()
    assert outcome.verdict.promote, outcome.verdict.reasons
    assert store.versions.live() == outcome.version == "nightschool@1"
    rates = outcome.verdict.numbers["new"]["sum"]
    assert rates["after"] > rates["before"]
    record = files.provenance(Path(store.versions.get("nightschool@1").path))
    assert (record["parent"], record["sessions"], record["seed"]) == (BASE, ["sum"], 0)
    assert Config.model_validate(record["config"]).learn.lr == 0.04
    assert record["verdict"]["numbers"]["new"]["sum"] == rates
    assert {"adapter_model.safetensors", "adapter_config.json", "attest.json", "lessons.json"} == set(
        record["sha256"]
    )
    row = store.dreams.get(outcome.dream_id)
    assert (row.status, row.version, (row.verdict or {})["promote"]) == ("promoted", "nightschool@1", True)
    assert not (home / "dreams" / outcome.dream_id).exists()
    with pytest.raises(NothingToLearn, match="no liked session is new"):
        dream()


def test_a_session_with_which_something_fails_is_set_aside_and_the_others_are_learned(
    store: Store, dream: Dream, monkeypatch: pytest.MonkeyPatch
) -> None:
    like(store, "odd", *TOTAL)
    like(store, "sum", *SUM)

    def failing(model: HFModel, lesson: Lesson, *rest: Any) -> Any:
        if lesson.session_id == "odd":
            raise ValueError("too odd")
        return encode(model, lesson, *rest)

    monkeypatch.setattr(dream_module, "encode", failing)
    outcome = dream()
    assert outcome.version == "nightschool@1", outcome.verdict.reasons
    assert outcome.numbers["set_aside"] == {"odd": "too odd"}
    assert store.versions.get("nightschool@1").sessions == ("sum",)
    assert (store.dreams.get(outcome.dream_id).lessons or {})["odd"] == {"set_aside": "too odd"}
    with pytest.raises(DreamError, match="session odd: too odd"):
        dream()  # alone, it is a dream that failed
    monkeypatch.undo()
    assert dream().version == "nightschool@2"


def test_a_session_of_too_little_evidence_is_neither_learned_nor_rejected(store: Store, dream: Dream) -> None:
    like(store, "bare", "注文は?", "はい。")  # one exchange: there are few other places
    refused = "needs 1 more exchange of this kind"
    with pytest.raises(DreamError, match=f"session bare: {refused}"):
        dream()
    (row,) = store.dreams.all()
    assert (row.status, row.verdict, row.error) == ("failed", None, f"session bare: {refused}")
    assert row.lessons == {"bare": {"set_aside": refused}}
    assert pending(store, BASE) == ["bare"]

    like(store, "sum", *SUM)
    outcome = dream()
    assert outcome.numbers["set_aside"] == {"bare": refused}
    assert store.versions.get(str(outcome.version)).sessions == ("sum",)
    assert pending(store, str(outcome.version)) == ["bare"]


def test_a_second_night_goes_on_from_the_first_and_defends_it(store: Store, dream: Dream) -> None:
    like(store, "sum", *SUM)
    dream()
    like(store, "total", *TOTAL)
    outcome = dream()
    assert set(outcome.verdict.numbers["earlier"]) == {"sum"}
    if outcome.version:
        assert store.versions.get(outcome.version).parent == "nightschool@1"
    assert store.dreams.get(outcome.dream_id).parent == "nightschool@1"


def test_a_refused_candidate_changes_nothing_and_says_why(store: Store, dream: Dream) -> None:
    like(store, "sum", *SUM)
    outcome = dream(gate__kl_budget="0")
    assert outcome.version is None
    assert "drift" in outcome.verdict.reasons[0]
    assert store.versions.live() == BASE
    assert store.versions.all() == []
    assert store.dreams.get(outcome.dream_id).status == "rejected"
    # It is not learned, so it is tried again; but not by a server that dreams by itself, every minute.
    assert tried(store)
    like(store, "more", *SUM)
    assert not tried(store)
    store.feedback.retract_rating("more")
    assert dream().verdict.promote
    assert not tried(store)


def test_no_probes_is_rejected(store: Store, dream: Dream) -> None:
    like(store, "sum", *SUM)
    outcome = dream(learn__held_back="0", learn__steps="1")
    assert not outcome.verdict.promote
    assert "no probes" in outcome.verdict.reasons[0]


def test_only_liked_sessions_are_learned(store: Store, dream: Dream) -> None:
    like(store, "sum", *SUM)
    store.feedback.rate(Feedback("f2", "sum", "bad"))
    for wanted in ((), ("sum",)):
        with pytest.raises(NothingToLearn):
            dream(wanted)


def test_a_full_disk_interrupts_and_the_next_dream_goes_on(
    store: Store, dream: Dream, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    assert store.dreams.all()[0].status == "interrupted"
    assert store.versions.live() == BASE
    outcome = dream()
    assert outcome.version
    assert outcome.dream_id == store.dreams.all()[0].id
    assert len(store.dreams.all()) == 1


def test_a_session_disliked_meanwhile_is_not_learned_by_a_resumed_night(
    store: Store, dream: Dream, settings: dict[str, str]
) -> None:
    like(store, "sum", *SUM)
    with store.dreams.lock():
        resume_or_start(store, load(settings, env={}), ())
    store.feedback.rate(Feedback("f2", "sum", "bad"))
    with pytest.raises(NothingToLearn):
        dream()
    assert store.dreams.all()[0].status == "failed"


def test_a_damaged_live_version_stops_the_night_with_a_way_out(store: Store, dream: Dream) -> None:
    like(store, "sum", *SUM)
    dream()
    weights = Path(store.versions.get("nightschool@1").path) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    like(store, "total", *TOTAL)
    with pytest.raises(Interrupted, match="damaged; go back with `nightschool rollback`"):
        dream()


def _command(home: Path, settings: dict[str, str], *arguments: str) -> list[str]:
    flags = [part for key, value in settings.items() for part in (f"--{key}", value)]
    return [sys.executable, "-m", "nightschool", *arguments, "--json", *flags]


@pytest.mark.slow
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
    assert store.versions.live() == BASE
    assert store.dreams.all()[0].status == "running"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["dream"] == store.dreams.all()[0].id
    resumed = (home / "versions" / outcome["version"] / "adapter_model.safetensors").read_bytes()

    # The same night, never killed, in a home of its own.
    other = tmp_path / "other"
    with closing(Store.open(other)) as fresh:
        like(fresh, "sum", *SUM)
        with fresh.dreams.lock():
            plan = resume_or_start(fresh, load(settings, env={}), ())
            whole = dream_it(hf.load(plan.config.model), fresh, other, plan)
    assert (other / "versions" / str(whole.version) / "adapter_model.safetensors").read_bytes() == resumed


def test_a_night_that_crashes_is_failed_with_its_last_line_and_not_resumed(
    store: Store, home: Path, dream: Dream, monkeypatch: pytest.MonkeyPatch
) -> None:
    like(store, "sum", *SUM)

    def out_of_memory(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")

    with monkeypatch.context() as broken:
        broken.setattr(checkpoint, "save", out_of_memory)
        with pytest.raises(RuntimeError, match="allocate"):
            dream()
    (row,) = store.dreams.all()
    assert (row.status, row.version) == ("failed", None)
    assert row.error
    assert row.error.startswith("RuntimeError: [enforce fail")
    assert not (home / "dreams" / row.id).exists()
    assert dream().dream_id != row.id


def test_a_night_that_ends_between_writing_a_version_and_promoting_it_leaves_no_orphan(
    store: Store, home: Path, dream: Dream, monkeypatch: pytest.MonkeyPatch
) -> None:
    like(store, "sum", *SUM)

    def versions() -> list[str]:
        return [path.name for path in (home / "versions").glob("*")]

    def moved(*_: object) -> None:
        assert versions() == ["nightschool@1"]
        raise StoreError("the live version is x by now")

    with monkeypatch.context() as broken:
        broken.setattr(store.versions, "promote", moved)
        with pytest.raises(Interrupted):
            dream()
    assert (versions(), store.versions.all(), store.versions.live()) == ([], [], BASE)
    (home / "versions" / "nightschool@2").mkdir()  # as one that was killed then leaves it
    outcome = dream()
    assert versions() == [outcome.version] == [v.name for v in store.versions.all()]
    assert store.dreams.get(outcome.dream_id).status == "promoted"


Change = Callable[[Store], object]
TAKEN_BACK: dict[str, Change] = {
    "undone": lambda store: store.feedback.retract_rating("total"),
    "disliked": lambda store: store.feedback.rate(Feedback("f9", "total", "bad")),
}


@pytest.mark.parametrize("how", TAKEN_BACK)
def test_a_session_taken_back_while_it_is_read_is_not_in_the_night(
    store: Store, dream: Dream, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    like(store, "sum", *SUM)
    like(store, "total", *TOTAL)
    seen = list[str]()

    def slowly(model: HFModel, lesson: Lesson, *rest: Any) -> Any:
        seen.append(lesson.session_id)
        if seen == ["sum", "total"]:
            TAKEN_BACK[how](store)
        return encode(model, lesson, *rest)

    monkeypatch.setattr(dream_module, "encode", slowly)
    outcome = dream()
    assert seen == ["sum", "total", "sum"]
    assert set(outcome.verdict.numbers["new"]) == {"sum"}
    assert store.dreams.get(outcome.dream_id).sessions == ("sum",)
    assert store.versions.get(str(outcome.version)).sessions == ("sum",)


def test_a_night_of_which_all_was_taken_back_is_over(
    store: Store, settings: dict[str, str], home: Path
) -> None:
    like(store, "sum", *SUM)
    with store.dreams.lock():
        plan = resume_or_start(store, load(settings, env={}), ())
        store.feedback.retract_rating("sum")
        with pytest.raises(NothingToLearn, match="taken back"):
            dream_it(hf.load(plan.config.model), store, home, plan)
    assert store.dreams.get(plan.id).status == "failed"


@pytest.mark.slow
def test_a_dream_goes_on_from_the_version_that_no_server_refused(store: Store, dream: Dream) -> None:
    like(store, "sum", *SUM)
    first = dream()
    like(store, "total", *TOTAL)
    second = dream(gate__alpha="0.99", gate__min_kept="0")
    assert second.version
    store.versions.note_swap(second.version, ok=False, detail="differs")
    again = dream(gate__alpha="0.99", gate__min_kept="0")
    assert store.dreams.get(again.dream_id).parent == first.version
    assert store.dreams.get(again.dream_id).sessions == ("total",)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [*RULES, "opsd+rlvr"])
def test_a_resumed_night_is_the_same_night_for_every_rule(
    store: Store, home: Path, settings: dict[str, str], tmp_path: Path, rule: str
) -> None:
    hot = {"learn.temperature": "2"} if rule != "sft" else {}
    few = {"learn.lr": "0.001", "learn.steps": "6", "learn.max_new_tokens": "4", "learn.rule": rule}
    config = load(settings | few | hot, env={})

    def night(where: Path, stop_after: int | None = None) -> list[bytes]:
        with closing(Store.open(where)) as store, store.dreams.lock():
            for name, asked in golden.WORK.items():
                golden.like(store, name, [m for pair in asked for m in turns(*pair)])
            plan = resume_or_start(store, config, ())
            model = hf.load(plan.config.model)
            dream_it(model, store, where, plan, gate=ungated, watch=Stopping(stop_after))
        student = model.adapter(STUDENT)
        assert student
        return [tensor.detach().numpy().tobytes() for tensor in student.parameters()]

    whole = night(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        night(home, stop_after=4)
    assert night(home) == whole


class Stopping:
    """Stops a dream as Ctrl-C does."""

    def __init__(self, after: int | None) -> None:
        self._after = after

    def stage(self, name: str) -> None: ...

    def step(self, step: StepReport) -> None:
        if step.step == self._after:
            raise KeyboardInterrupt
