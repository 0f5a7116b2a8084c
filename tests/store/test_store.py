"""Whatever is asked of the store: unknown names are errors, and what was recorded stays."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nightschool.errors import NotFound
from nightschool.store import Store
from nightschool.types import BASE, Feedback, Signal


def test_unknown_names_say_what_to_do(store: Store) -> None:
    for ask in (
        lambda: store.sessions.get("x"),
        lambda: store.feedback.rate(Feedback("f", "x", "good")),
        lambda: store.versions.get("n@1"),
        lambda: store.versions.point_to("n@1", expect=BASE),
        lambda: store.dreams.get("d"),
        lambda: store.sessions.of_response("r"),
        lambda: store.feedback.retract("f"),
        lambda: store.feedback.signal(Signal("g", "x", "r", "accepted")),
    ):
        with pytest.raises(NotFound, match="there is no"):
            ask()


_FOREVER = """
import sys
from pathlib import Path
from nightschool.store import Store, conversations
from nightschool.types import Message
store = Store.open(Path(sys.argv[1]))
for i in range(10**6):
    store.sessions.record(session_id="s%d" % i, user=None, history=[Message("user", "hi")],
                 answer=Message("assistant", "hello"), response_id="r%d" % i, version="base")
    print(i, flush=True)
"""


def test_what_was_recorded_survives_a_kill(home: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", _FOREVER, str(home)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    seen = [int(writer.stdout.readline()) for _ in range(20)]
    writer.send_signal(signal.SIGKILL)
    seen += [int(line) for line in writer.stdout if line.endswith("\n")]
    writer.wait()
    writer.stdout.close()
    store = Store.open(home)
    recorded = {s.id: s for s in store.sessions.all()}
    assert all(len(recorded[f"s{i}"].messages) == 2 for i in seen)
    store.close()
