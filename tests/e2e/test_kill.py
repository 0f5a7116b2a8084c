"""`kill -9` of a real server under load: what a client has in hand is recorded."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx

from nightschool.store import Store


def test_a_killed_server_has_recorded_every_completed_answer(home: Path, tiny_dir: Path) -> None:
    settings = ["--serve.port", "0", "--model.id", str(tiny_dir), "--model.dtype", "float32"]
    process = subprocess.Popen(
        [sys.executable, "-m", "nightschool", "serve", *settings],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    assert process.stdout
    url = re.findall(r"http://[^/]+", process.stdout.readline())[0]
    completed: list[tuple[str, str, str]] = []  # session, request, answer
    enough = threading.Event()

    def client(number: int) -> None:
        for i in range(10_000):
            said = f"hello {number} {i}"
            body = {"messages": [{"role": "user", "content": said}], "max_tokens": 5, "stream": i % 2 == 1}
            try:
                answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60)
            except httpx.HTTPError:
                return
            if body["stream"]:
                if "[DONE]" not in answer.text:
                    return
                events = [
                    json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")
                ]
                text = "".join(e["choices"][0]["delta"].get("content", "") for e in events)
            else:
                text = answer.json()["choices"][0]["message"]["content"]
            completed.append((answer.headers["x-session-id"], said, text))
            if len(completed) >= 40:
                enough.set()

    with ThreadPoolExecutor(6) as pool:
        clients = [pool.submit(client, n) for n in range(6)]
        assert enough.wait(120)
        process.send_signal(signal.SIGKILL)
        for one in clients:
            one.result()
    process.wait()
    process.stdout.close()
    with closing(Store.open(home)) as store:
        for session, said, text in completed:
            assert [m.content for m in store.sessions.get(session).messages] == [said, text]
