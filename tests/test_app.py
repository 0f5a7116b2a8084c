"""How model, store and server are put together, and a dream that is started beside them."""

import json
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from nightschool import app
from nightschool.config import Config, load
from nightschool.engines.scripted import ScriptedModel
from nightschool.errors import NightschoolError
from nightschool.models import hf
from nightschool.night import launch
from nightschool.night.schedule import Schedule
from nightschool.store import Store
from tests.helpers import QUICK, SUM, like


def test_the_model_loads_on_a_thread_that_ends(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaders: list[threading.Thread] = []

    def load_model(_: object) -> ScriptedModel:
        loaders.append(threading.current_thread())
        return ScriptedModel(lambda *_: "hi")

    monkeypatch.setattr(hf, "load", load_model)
    app.build(Config(), home)
    (loader,) = loaders
    assert loader is not threading.main_thread()
    assert not loader.is_alive()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_taken_port_is_reported(host: str) -> None:
    taken = pytest.raises(NightschoolError, match=r"cannot listen on .*: choose another with --serve\.port")
    with app.listen(host, 0) as first, taken:
        app.listen(host, first.getsockname()[1])


def test_who_reads_where_it_serves_can_connect_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[bool] = []

    def connect(line: str, **_: object) -> None:
        host, port = re.findall(r"http://([\d.]+):(\d+)/v1", line)[0]
        with socket.create_connection((host, int(port))):
            connected.append(True)

    monkeypatch.setattr(app, "build", lambda *_: None)
    monkeypatch.setattr(sys, "setswitchinterval", lambda _: None)
    monkeypatch.setattr(app, "print", connect, raising=False)
    monkeypatch.setattr(uvicorn.Server, "run", lambda _, sockets: [one.close() for one in sockets])
    app.run(load({"serve.port": "0"}, env={}), home)
    assert connected == [True]


def test_a_dream_runs_in_a_process_of_its_own_and_is_not_started_by_itself_again(
    home: Path,
    store: Store,
    tiny_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    processes: list[subprocess.Popen[Any]] = []
    schedules: list[Schedule] = []
    yielding: list[int] = []

    class Process(subprocess.Popen[Any]):
        def __init__(self, arguments: list[str], **options: Any) -> None:
            super().__init__(arguments, **options)
            processes.append(self)

    class Noted(Schedule):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            schedules.append(self)

    monkeypatch.setattr(subprocess, "Popen", Process)
    # At the lowest priority it would wait for everything else on the machine.
    monkeypatch.setattr(launch, "yield_to_others", yielding.append)
    monkeypatch.setattr(app, "Schedule", Noted)
    few = {"learn.steps": "1", "learn.variations": "4", "learn.held_back": "4", "learn.round_steps": "1"}
    model = {"model.id": str(tiny_dir), "model.dtype": "float32", "model.threads": "1"}
    config = load(QUICK | few | model | {"gate.kl_budget": "0", "night.hours": "0-24"}, env={})
    like(store, "sum", *SUM)

    client = TestClient(app.build(config, home), base_url="http://127.0.0.1")
    accepted = client.post("/v1/dreams")
    assert accepted.status_code == 202
    dream_id = accepted.json()["id"]
    (process,) = processes
    request.addfinalizer(process.kill)  # nothing is left of it if the next line fails
    assert process.wait(120) == 1  # rejected: with no budget, every drift is too much

    (dream,) = client.get("/v1/dreams").json()["data"]
    assert (dream["id"], dream["status"], dream["launches"]) == (dream_id, "rejected", 1)
    assert dream["pid"] == process.pid
    assert yielding == [process.pid]
    log = (home / "logs" / f"{dream_id}.log").read_text()
    assert json.loads(log[log.index("{") :])["dream"] == dream_id

    (schedule,) = schedules
    assert schedule.due()
    schedule.tick()
    assert len(processes) == 1  # what was rejected is not tried again before something is new
