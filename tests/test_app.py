"""How model, store and server are put together."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nightschool import app
from nightschool.config import Config
from nightschool.engines.scripted import ScriptedModel
from nightschool.models import hf
from nightschool.night.launch import yield_to_others


def test_the_model_loads_on_a_thread_that_ends(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaders: list[threading.Thread] = []

    def load(_: object) -> ScriptedModel:
        loaders.append(threading.current_thread())
        return ScriptedModel(lambda *_: "hi")

    monkeypatch.setattr(hf, "load", load)
    app.build(Config(), home)
    (loader,) = loaders
    assert loader is not threading.main_thread()
    assert not loader.is_alive()


def test_a_process_in_a_session_of_its_own_yields_to_all_others() -> None:
    waits = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, start_new_session=True) as process:
        yield_to_others(process.pid)
        group = Path(f"/proc/{process.pid}/autogroup")
        found = group.read_text() if group.exists() else "nice 19"  # nothing to do there
        process.communicate(b"\n")
    assert found.strip().endswith("nice 19")
