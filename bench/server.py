"""Starts a server in a process of its own, and times its answers."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx

TOKENS = 96  # of an answer, at most
START_SECONDS = 300  # a peer's server may compile first
Chat = list[dict[str, str]]
_THINGS = (
    "lighthouse glacier violin bakery comet harbour orchard library railway volcano garden clock".split()
)
_WHO = "a shy inventor|two rival bakers|an old sailor|a young teacher|a lost robot|a retired spy".split("|")


def chats(count: int, seed: int) -> list[Chat]:
    """Prompts of about 60 tokens that differ from their first words on."""
    rng = random.Random(seed)
    return [
        [
            {
                "role": "user",
                "content": f"Story number {rng.randint(100, 999)}: write a long story about "
                f"{rng.choice(_WHO)} and a {rng.choice(_THINGS)}. Describe the place, the weather and the "
                "people, and let it end well. Use simple words.",
            }
        ]
        for _ in range(count)
    ]


async def ask(client: httpx.AsyncClient, model: str, chat: Chat, tokens: int = TOKENS) -> tuple[int, float]:
    """Ask greedily, streamed. Returns the number of tokens answered and the seconds to the first of them."""
    body = {
        "model": model,
        "messages": chat,
        "temperature": 0,
        "max_tokens": tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    began, first, answered = time.perf_counter(), 0.0, 0
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line[6:])
            if not first and any(c["delta"].get("content") for c in chunk["choices"]):
                first = time.perf_counter() - began
            answered = (chunk.get("usage") or {}).get("completion_tokens") or answered
    return answered, first


def nightschool(home: Path, *settings: str) -> AbstractContextManager[str]:
    """Our own server on a home; its address once it answers. The model is called `live`."""
    command = [sys.executable, "-m", "nightschool", "serve", "--serve.port", "{port}", *settings]
    return running(command, {"NIGHTSCHOOL_HOME": str(home)})


@contextmanager
def running(command: Sequence[str], environment: dict[str, str]) -> Iterator[str]:
    """A server started with {port} in its command; its address once it answers."""
    port = _free_port()
    command = [part.replace("{port}", str(port)) for part in command]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            until = time.monotonic() + START_SECONDS
            while not _answers(url):
                if process.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    raise SystemExit(f"{command[0]} did not start:\n{log.read().decode()[-3000:]}")
                time.sleep(0.5)
            yield url
        finally:
            process.terminate()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/models", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port
