"""The composition root: model, store and HTTP server put together, and dreams started beside them."""

from __future__ import annotations

import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastapi import FastAPI

from nightschool.config import Config
from nightschool.errors import NightschoolError
from nightschool.models import hf
from nightschool.night.launch import start_dream
from nightschool.night.schedule import Schedule
from nightschool.serve import create_app
from nightschool.store import Store


def build(config: Config, home: Path) -> FastAPI:
    """The HTTP application of a home, with its store open and the model loaded.

    Raises StoreError and ModelError.
    """
    store = Store.open(home)
    # A thread that has computed in parallel keeps its helpers for life, and where there are more helpers than
    # cores, libgomp lets all of them sleep between two products (half the speed). So the thread that loads
    # ends here, and the batcher's is the only one that computes.
    with ThreadPoolExecutor(1) as loader:
        model = loader.submit(hf.load, config.model).result()
    return create_app(
        model,
        store,
        config.serve,
        dream=lambda: start_dream(store, config, home),
        schedule=Schedule(config.night, lambda: start_dream(store, config, home, again=False)),
    )


def run(config: Config, home: Path) -> None:
    """Serve until interrupted. Raises NightschoolError where the port is taken."""
    import uvicorn

    listening = listen(config.serve.host, config.serve.port)
    host, port = listening.getsockname()[:2]
    application = build(config, home)
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
