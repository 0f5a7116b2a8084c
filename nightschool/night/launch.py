"""Dreams in a process of their own, beside a server."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from nightschool.config import Config
from nightschool.errors import NothingToLearn
from nightschool.night import queue
from nightschool.store import Store


def start_dream(store: Store, config: Config, home: Path, *, again: bool = True) -> str:
    """Plan a dream here, dream it in a process of its own at the lowest priority, and return its id at once.

    Raises NothingToLearn, and DreamError where one is running. Without `again`, what was tried already on
    this live version counts as nothing to learn (`queue.tried`).
    """
    with store.dreams.lock():
        if not again and queue.tried(store):
            raise NothingToLearn("these sessions were tried already: `nightschool dream` tries them again")
        plan = queue.resume_or_start(store, config, ())  # recorded: the new process resumes it
        store.dreams.note_launch(plan.id)
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
