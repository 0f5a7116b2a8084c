"""The command line: what it prints, what it exits with, and that bad input is one clear line."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nightschool.cli.common import FAILED, NOTHING, PROMOTED, REJECTED, USAGE
from nightschool.cli.main import main
from nightschool.store import Store
from nightschool.types import BASE, Feedback, Message
from nightschool.versions import files
from tests.helpers import QUICK, SUM, attested, like, promote, scripted_version, turns

COMMANDS = (
    *("serve", "chat", "import", "sessions", "good", "bad", "undo", "lessons", "dream"),
    *("versions", "rollback", "export", "eval", "demo", "doctor"),
)
TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


@dataclass
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path) -> Run:
    def command(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["nightschool", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 0, printed.out, printed.err)

    return command


@pytest.fixture
def tiny_settings(tiny_dir: Path) -> list[str]:
    settings = {**QUICK, "model.id": str(tiny_dir), "model.dtype": "float32"}
    return [part for key, value in settings.items() for part in (f"--{key}", value)]


def one_line(ran: Ran, text: str, code: int = USAGE) -> None:
    """The command failed, saying why in one line."""
    assert ran.code == code, ran
    assert text in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert "Traceback" not in ran.err


def write(path: Path, *rows: object) -> str:
    path.write_text("".join(row + "\n" if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_help_and_version(run: Run) -> None:
    help_ = run("--help")
    for command in COMMANDS:
        assert command in help_.out
        assert run(command, "--help").code == 0
    assert run("--version").out.startswith("nightschool ")


def test_from_import_to_good_and_back(run: Run, tmp_path: Path) -> None:
    file = write(
        tmp_path / "s.jsonl", {"id": "a", "messages": TURNS}, {"id": "b", "messages": TURNS, "user": "x"}
    )
    assert run("import", file, "--json").json == {"new": 2, "unchanged": 0, "bad": []}
    assert run("import", file).out.strip() == "0 new, 2 unchanged, 0 bad"
    assert run("good", "a", "--comment", "well done").code == 0
    assert {s["id"]: s["rating"] for s in run("sessions", "--json").json} == {"a": "good", "b": None}
    assert "good" in run("sessions").out
    assert run("undo", "a", "--json").json == {"session": "a", "retracted": "good"}
    assert run("bad", "b", "--json").json["rating"] == "bad"
    assert "no rating" in run("undo", "a").out


def test_a_bad_line_is_named_and_the_good_ones_go_in(run: Run, tmp_path: Path) -> None:
    ran = run("import", write(tmp_path / "s.jsonl", {"id": "a", "messages": TURNS}, "{", {"messages": []}))
    assert ran.code == FAILED
    assert "1 new" in ran.out
    assert [line[:7] for line in ran.err.splitlines()] == ["line 2:", "line 3:"]


def test_what_others_wrote_is_shown_and_not_obeyed(run: Run, tmp_path: Path) -> None:
    name = "run[/1]\u202e"
    said = [{"role": "user", "content": "[red]x[/red] [/INST] \x1b[2J"}, TURNS[1]]
    run("import", write(tmp_path / "s.jsonl", {"id": name, "messages": said}))
    assert r"[red]x[/red] [/INST] \x1b[2J" in run("sessions").out
    assert r"run[/1]\u202e is good" in run("good", name).out
    assert run("undo", name).code == 0
    one_line(run("good", "[/b]\x1b[2J"), r"there is no session [/b]\x1b[2J")
    bad = run("import", write(tmp_path / "b.jsonl", {"[/x]\x1b[2J": 1}))
    assert r"unknown: [/x]\x1b[2J" in bad.err


def test_helpers_are_listed_on_request(run: Run, store: Store) -> None:
    for name, said in {"chat": "How many?", "title": "USER: How many?\nASSISTANT: Two.\nName it."}.items():
        store.sessions.record(
            session_id=name,
            user=None,
            history=turns(said),
            answer=Message("assistant", "Two."),
            response_id=name,
            version=BASE,
        )
    assert [s["id"] for s in run("sessions", "--json").json] == ["chat"]
    assert {s["id"]: s["source"] for s in run("sessions", "--helpers", "--json").json} == {
        "chat": "api",
        "title": "helper",
    }


@pytest.mark.parametrize("command", ["good", "bad", "undo"])
def test_an_unknown_session_is_one_line(run: Run, command: str) -> None:
    one_line(run(command, "nobody"), "there is no session nobody")


def test_wrong_usage(run: Run, tmp_path: Path) -> None:
    one_line(run("dream", "--learn.rate", "1"), "setting learn.rate")
    one_line(run("dream", "--learn.lr"), "--learn.lr needs a value")
    one_line(run("dream", "--lern.lr", "1"), "setting lern: there is no such setting")
    one_line(run("sessions", "--learn.rlvr.size=1"), "setting learn.rlvr.size: there is no such setting")
    one_line(run("dream", "--learn.batch", "1"), "setting learn.batch is now called learn.batch_size")
    one_line(run("dream", "--learn.rlvr.group_size", "8"), "has no effect with learn.rule opsd")
    one_line(run("lessons", "s", "--lessons.helper.model=m"), "setting lessons.helper: url and model go")
    one_line(run("import", str(tmp_path / "none.jsonl")), "No such file")
    one_line(run("rollback"), "nothing to go back to")
    one_line(run("rollback", "n@9"), "there is no version n@9")
    one_line(run("export", "base", str(tmp_path / "x")), "nothing to export")
    assert run("dream", "--nonsense").code == USAGE
    assert run("import").code == USAGE


@pytest.mark.parametrize("command", ["sessions", "versions", "doctor"])
def test_a_wrong_variable_is_an_error_with_every_command(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("NIGHTSCHOOL_SERVE__PROT", "1")
    one_line(run(command), "setting serve.prot: there is no such setting")


def test_nothing_to_learn_is_exit_3(run: Run) -> None:
    one_line(run("dream"), "nothing to learn", code=NOTHING)


def test_a_whole_day_on_the_tiny_model(
    run: Run, home: Path, tmp_path: Path, tiny_settings: list[str]
) -> None:
    store = Store.open(home)
    like(store, "sum", *SUM)
    dreamt = run("dream", "--json", *tiny_settings)
    assert dreamt.code == PROMOTED, dreamt
    outcome = dreamt.json
    assert (outcome["status"], outcome["version"]) == ("promoted", "nightschool@1")
    assert "step 1/32" in dreamt.err  # progress, away from the JSON
    assert run("sessions", "--json").json[0]["learned"]
    assert run("dream", *tiny_settings).code == NOTHING
    listed = run("versions", "--json").json
    assert (listed["live"], listed["versions"][0]["name"]) == ("nightschool@1", "nightschool@1")
    assert run("versions").code == 0

    case = {"id": "1", "messages": TURNS[:1], "check": {"regex": ""}, "group": "g"}
    cases = write(tmp_path / "cases.jsonl", case)
    flags = ("--json", *tiny_settings[-4:])
    live = run("eval", cases, *flags).json
    assert (live["accuracy"], live["n"], live["version"]) == (1.0, 1, "nightschool@1")
    assert live["by_group"] == {"g": {"accuracy": 1.0, "n": 1}}
    base = run("eval", cases, "--version", "base", *flags).json
    told = run("eval", cases, "--version", "base", "--with-session", "sum", *flags).json
    answers = [r["cases"][0]["answer"] for r in (live, base, told)]
    assert len(set(answers)) == 3
    one_line(run("eval", cases, "--with-session", "nobody"), "there is no session nobody")

    exported = run("export", "live", str(tmp_path / "out"), "--with-base", "--json")
    assert exported.json["version"] == "nightschool@1"
    files.verify(tmp_path / "out")
    from peft import AutoPeftModelForCausalLM

    loaded = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "out")  # by the base model that it names
    assert loaded.active_adapters == ["default"]
    run("export", "live", str(tmp_path / "bare"))
    named = files.read_json(tmp_path / "bare" / files.ADAPTER)["base_model_name_or_path"]
    assert named == tiny_settings[tiny_settings.index("--model.id") + 1]
    one_line(run("export", "live", str(tmp_path / "out")), "exists already", code=FAILED)
    assert run("rollback", "--json").json == {"live": BASE, "was": "nightschool@1"}
    assert store.versions.live() == BASE

    refused = run("dream", "sum", *tiny_settings, "--gate.kl_budget", "0")
    assert refused.code == REJECTED
    assert "rejected: drift" in refused.out
    store.close()


def test_a_corrupted_version_is_refused_with_a_way_out(
    run: Run, store: Store, home: Path, tmp_path: Path
) -> None:
    def fill(directory: Path) -> None:
        (directory / "adapter_model.safetensors").write_bytes(b"x")

    directory = files.write(home, "n@1", fill, {})
    promote(store, "n@1", BASE, directory)
    (directory / "adapter_model.safetensors").write_bytes(b"y")
    one_line(run("export", "live", str(tmp_path / "out")), "damaged; go back with", code=FAILED)
    checkup = run("doctor", "--json")
    assert checkup.code == FAILED
    assert {f["what"]: f["state"] for f in checkup.json}["live version"] == "fail"
    assert run("rollback").code == 0
    assert {f["what"]: f["state"] for f in run("doctor", "--json").json}["live version"] == "ok"


def test_a_refused_version_is_shown_and_can_be_settled(run: Run, store: Store, home: Path) -> None:
    promote(store, "n@1", BASE, scripted_version(home, "n@1", attested()))
    promote(store, "n@2", "n@1", scripted_version(home, "n@2", attested()))
    store.versions.note_swap("n@2", ok=False, detail="it answers otherwise")
    listed = run("versions", "--json").json
    assert (listed["live"], listed["refused"]["version"]) == ("n@1", "n@2")
    shown = run("versions").out
    assert "n@2 was refused: it answers otherwise" in shown
    assert [line.split()[1] for line in shown.splitlines() if line.strip().startswith("*")] == ["n@1"]
    (finding,) = [f for f in run("doctor", "--json").json if f["what"] == "live version"]
    assert finding["state"] == "warn"
    assert "n@1, since n@2 was refused: it answers otherwise" in finding["detail"]
    assert run("rollback", "--json").json == {"live": "n@1", "was": "n@1"}
    assert run("versions", "--json").json["refused"] is None
    assert run("rollback", "--json").json == {"live": BASE, "was": "n@1"}


def test_a_store_that_cannot_be_opened(run: Run, home: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file")
    one_line(run("sessions"), "set NIGHTSCHOOL_HOME", code=FAILED)


def test_a_model_that_cannot_be_loaded(run: Run, store: Store, tmp_path: Path) -> None:
    like(store, "sum", *SUM)
    one_line(run("dream", "--json", "--model.id", str(tmp_path)), "cannot load the model", code=FAILED)
    store.feedback.rate(Feedback("f9", "sum", "good"))
