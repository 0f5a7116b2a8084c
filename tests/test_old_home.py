"""A home made by the release before: it opens, what is in it is there, and it dreams on."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nightschool.config import load
from nightschool.models import hf
from nightschool.night.dream import dream
from nightschool.night.memory import LearnedLesson, read
from nightschool.night.queue import pending, resume_or_start
from nightschool.store import Store
from nightschool.types import SHARED, Message
from tests.helpers import QUICK

OLD = Path(__file__).parent / "fixtures" / "home"


@pytest.fixture
def old(home: Path) -> Path:
    shutil.copytree(OLD / "versions", home / "versions")
    with closing(sqlite3.connect(home / "nightschool.db")) as database:
        database.executescript((OLD / "nightschool.sql").read_text())
    return home


def test_what_is_in_it_is_there(old: Path) -> None:
    with closing(Store.open(old)) as store:
        assert {s.id: s.rating for s in store.sessions.all()} == {
            "sum": "good",
            "bills": "good",
            "other": None,
        }
        assert [s.kind for s in store.feedback.signals("other")] == ["accepted"]
        said = [*store.sessions.get("other").messages, Message("user", "And then?")]
        assert store.sessions.find(said, "ann") == "other"  # who goes on with it goes on there
        assert store.versions.live() == "nightschool@1"
        assert [(v.name, v.scope, v.sessions) for v in store.versions.all()] == [
            ("nightschool@1", SHARED, ("sum",))
        ]
        (was,) = store.dreams.all()
        assert (was.status, was.version, was.launches) == ("promoted", "nightschool@1", 0)
        assert store.sessions.skipped()[0].session_id == "sum"
        assert pending(store, "nightschool@1") == ["bills", "other"]
        (lesson,) = read(Path(store.versions.get("nightschool@1").path))
        assert lesson == LearnedLesson.from_json(lesson.to_json())
        assert lesson.probes


def test_it_dreams_on(old: Path, tiny_dir: Path) -> None:
    settings = {**QUICK, "model.id": str(tiny_dir), "model.dtype": "float32", "gate.alpha": "0.99"}
    with closing(Store.open(old)) as store, store.dreams.lock():
        plan = resume_or_start(store, load(settings, env={}), ())
        outcome = dream(hf.load(plan.config.model), store, old, plan)
        assert (plan.parent, set(plan.sessions)) == ("nightschool@1", {"bills", "other"})
        assert set(outcome.verdict.numbers["earlier"]) == {"sum"}
        assert (old / "versions" / "nightschool@1" / "lessons.json").exists()


def test_a_dream_that_was_cut_off_there_begins_anew(old: Path) -> None:
    with closing(sqlite3.connect(old / "nightschool.db")) as database, database:
        columns = "id, status, sessions, parent, config, pid, created_at, updated_at"
        row = ("d_old", "running", '["bills", "other"]', "nightschool@1", json.dumps({"learn": {"was": 1}}))
        database.execute(f"insert into dreams ({columns}) values (?, ?, ?, ?, ?, 1, '2026', '2026')", row)
    with closing(Store.open(old)) as store, store.dreams.lock():
        assert resume_or_start(store, load({}, env={}), ()).id != "d_old"
        assert store.dreams.get("d_old").status == "failed"
