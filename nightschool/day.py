"""The day: model, store and HTTP app wired together, and dreams started beside them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from fastapi import FastAPI

from nightschool import night
from nightschool.config import Config
from nightschool.errors import NightschoolError, NothingToLearn
from nightschool.models import hf
from nightschool.serve import create_app
from nightschool.serve.bedtime import Bedtime
from nightschool.store import Store
from nightschool.versions.files import verify


def app(config: Config, home: Path) -> FastAPI:
    """The server's application, with the model loaded."""
    store = Store.open(home)
    # A thread that has computed in parallel keeps its helpers for life, and where there are more helpers than
    # cores, libgomp lets all of them sleep between two products (half the speed). So the thread that loads
    # ends here, and the engine's is the only one of its kind.
    with ThreadPoolExecutor(1) as loader:
        model = loader.submit(hf.load, config.model).result()
    return create_app(
        model,
        store,
        config.serve,
        dream=lambda: start_dream(store, config, home),
        verify=verify,
        bedtime=Bedtime(config.night, lambda: start_dream(store, config, home, again=False)),
    )


def start_dream(store: Store, config: Config, home: Path, *, again: bool = True) -> str:
    """Plan a dream here, dream it in a process of its own at the lowest priority, and return its id at once.

    Raises NothingToLearn, and DreamError where one is running. Without `again`, what a dream failed to teach
    this live version counts as nothing to learn.
    """
    with store.dreaming():
        if not again and night.tried(store):
            raise NothingToLearn("the gate rejected these sessions already: `nightschool dream` tries again")
        plan = night.resume_or_start(store, config, ())
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{plan.id}.log").open("a") as log:
        process = subprocess.Popen(
            ["nice", "-n", "19", sys.executable, "-m", "nightschool", "dream", "--json"],
            env=os.environ | {"NIGHTSCHOOL_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a dream outlives a restart of the server
        )
    yield_to_others(process.pid)
    threading.Thread(target=process.wait, daemon=True).start()  # or it would stay a zombie
    return plan.id


def yield_to_others(pid: int) -> None:
    """Give the session of a process the lowest priority: where Linux groups processes by session (autogroup),
    their own niceness counts within the group only."""
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text("19")


def run(config: Config, home: Path) -> None:
    """Serve until interrupted. Raises NightschoolError where the port is taken."""
    import uvicorn

    listening = listen(config.serve.host, config.serve.port)
    host, port = listening.getsockname()[:2]
    application = app(config, home)
    print(f"nightschool serves {config.model.id} on http://{host}:{port}/v1", flush=True)
    sys.setswitchinterval(0.0005)  # or decoding waits for up to 5 ms whenever an answer is being sent
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=5))
    server.run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """Bind before the model loads, so that a taken port is known at once."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as e:
        listening.close()
        raise NightschoolError(
            f"cannot listen on {host}:{port} ({e.strerror}): choose another with --serve.port"
        ) from e
    return listening
