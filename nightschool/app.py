"""The composition root: model, store and HTTP server put together, and dreams started beside them."""

from __future__ import annotations

import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastapi import FastAPI

from nightschool.config import Config
from nightschool.errors import NightschoolError
from nightschool.night.launch import start_dream
from nightschool.night.schedule import Schedule
from nightschool.serve import create_app
from nightschool.serve.guard import check_binding
from nightschool.store import Store


def build(config: Config, home: Path) -> FastAPI:
    """The HTTP application of a home, with its store open and the model loaded.

    Raises StoreError and ModelError.
    """
    from nightschool.models import hf  # torch takes seconds, and a taken port is to be told at once

    store = Store.open(home)
    # A thread that has computed in parallel keeps its helper threads for life. If there are more helpers than
    # cores, libgomp lets all of them sleep between two products, at half the speed. So the thread that loads
    # the model ends here, and the batcher's is the only one that computes.
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
    """Serve until interrupted. Raises NightschoolError if the port is taken, and what `build` raises."""
    import uvicorn

    check_binding(config.serve)
    listening = listen(config.serve.host, config.serve.port)
    host, port = listening.getsockname()[:2]
    application = build(config, home)
    print(f"nightschool serves {config.model.id} on http://{host}:{port}/v1", flush=True)
    # Seconds; with the default of 5 ms, decoding waits for so long whenever an answer is being sent.
    sys.setswitchinterval(0.0005)
    settings = uvicorn.Config(
        application,
        log_level="warning",
        timeout_graceful_shutdown=5,
        timeout_keep_alive=config.serve.keep_alive,
    )
    uvicorn.Server(settings).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on this address; port 0 is any free one. Raises NightschoolError if it is taken.

    It listens before the model is loaded: until one of two sockets does, both can be bound to the same port.
    Who connects meanwhile waits.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as e:
        listening.close()
        raise NightschoolError(
            f"cannot listen on {host}:{port} ({e.strerror}): choose another with --serve.port"
        ) from e
    return listening
