"""Tokens a second and time to first token at 1, 8 and 32 clients, beside other servers on equal work.

    python -m benchmarks.serving [--clients 1 8 32] [--servers nightschool transformers vllm llama.cpp]
                                 [--repeats 3] [--out docs/results/serving]

Every client asks for a story in a prompt of its own (about 60 tokens), greedily, 96 tokens at most, streamed
over HTTP. `transformers` is its `generate` in this process, all prompts in one batch: no server, no first
token. The peers live in `.bench` (`make bench-peers`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.machine import describe, write
from nightschool.models import embedded

TOKENS = 96
_THINGS = (
    "lighthouse glacier violin bakery comet harbour orchard library railway volcano garden clock".split()
)
_WHO = "a shy inventor|two rival bakers|an old sailor|a young teacher|a lost robot|a retired spy".split("|")
Chat = list[dict[str, str]]


def chats(count: int, seed: int) -> list[Chat]:
    """Prompts that differ from their first words on."""
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
    """Tokens answered, and the seconds to the first of them."""
    body = {
        "model": model,
        "messages": chat,
        "temperature": 0,
        "max_tokens": tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    began, first, said = time.perf_counter(), 0.0, 0
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line[6:])
            if not first and any(c["delta"].get("content") for c in chunk["choices"]):
                first = time.perf_counter() - began
            said = (chunk.get("usage") or {}).get("completion_tokens") or said
    return said, first


async def _load(url: str, model: str, clients: int, seed: int) -> dict[str, float]:
    rounds = 4 if clients == 1 else 2

    async def one(client: httpx.AsyncClient, mine: list[Chat]) -> list[tuple[int, float]]:
        return [await ask(client, model, chat) for chat in mine]

    asked = chats(clients * rounds, seed)
    # llama.cpp's server closes a connection after some requests, so each request gets its own.
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits) as client:
        began = time.perf_counter()
        done = await asyncio.gather(*(one(client, asked[i::clients]) for i in range(clients)))
        seconds = time.perf_counter() - began
    answers = [answer for answers in done for answer in answers]
    return {
        "tokens_per_s": sum(tokens for tokens, _ in answers) / seconds,
        "first_token_s": statistics.median(first for _, first in answers),
    }


def _free_port() -> int:
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[str]:
    """A server started with {port} in its command; its address once it is healthy."""
    port = _free_port()
    command = [part.replace("{port}", str(port)) for part in command]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 300
            while True:
                try:
                    if httpx.get(f"{url}/v1/models", timeout=5).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                if process.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    raise SystemExit(f"{command[0]} did not start:\n{log.read().decode()[-3000:]}")
                time.sleep(0.5)
            yield url
        finally:
            process.terminate()
            process.wait()


def _served(command: list[str], environment: dict[str, str], model: str) -> Callable[..., Any]:
    def measure(clients: list[int], repeats: int) -> dict[int, list[dict[str, float]]]:
        with running(command, environment) as url:
            asyncio.run(_load(url, model, 2, 999))  # warms up
            return {
                n: [asyncio.run(_load(url, model, n, 100 * n + i)) for i in range(repeats)] for n in clients
            }

    return measure


def _transformers(clients: list[int], repeats: int) -> dict[int, list[dict[str, float]]]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = embedded.ensure()
    tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16).eval()

    def once(count: int, seed: int) -> dict[str, float]:
        inputs = tokenizer.apply_chat_template(
            chats(count, seed),
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
            return_dict=True,
        )
        began = time.perf_counter()
        said = model.generate(**inputs, max_new_tokens=TOKENS, do_sample=False)
        seconds = time.perf_counter() - began
        answers = said[:, inputs["input_ids"].shape[1] :]
        return {"tokens_per_s": int((answers != tokenizer.pad_token_id).sum()) / seconds}

    once(2, 999)
    return {n: [once(n, 100 * n + i) for i in range(repeats)] for n in clients}


def servers(folder: Path) -> dict[str, Callable[..., Any]]:
    path = str(embedded.ensure())
    bf16 = folder / "bf16.gguf"
    return {
        "nightschool": _served(
            [sys.executable, "-m", "nightschool", "serve", "--serve.port", "{port}"],
            {"NIGHTSCHOOL_HOME": str(folder / "home")},
            "live",
        ),
        "transformers": _transformers,
        "vllm": _served(
            f".bench/vllm/bin/python -m vllm.entrypoints.openai.api_server --model {path} --port {{port}} "
            "--dtype bfloat16 --max-model-len 2048 --served-model-name m".split(),
            {"VLLM_CPU_KVCACHE_SPACE": "2"},
            "m",
        ),
        "llama.cpp": _served(
            f".bench/llama/bin/python benchmarks/peers/llama_server.py {embedded.gguf_path()} {bf16} "
            "{port}".split(),
            {},
            "m",
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--servers", nargs="+", default=["nightschool", "transformers", "vllm", "llama.cpp"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        known = servers(Path(folder))
        for name in chosen.servers:
            for clients, runs in known[name](chosen.clients, chosen.repeats).items():
                row: dict[str, Any] = {"server": name, "clients": clients}
                for what in ("tokens_per_s", "first_token_s"):
                    if found := [run[what] for run in runs if what in run]:
                        row[what] = statistics.median(found)
                        row[f"{what}_range"] = [min(found), max(found)]
                rows.append(row)
                first = f", first token after {row['first_token_s']:.2f} s" if "first_token_s" in row else ""
                print(f"{name:12} {clients:3} clients: {row['tokens_per_s']:6.1f} tok/s{first}", flush=True)
    write(chosen.out, {"machine": describe(), "rows": rows})


if __name__ == "__main__":
    main()
