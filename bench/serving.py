"""Tokens a second and time to first token at 1, 8 and 32 clients, beside other servers on equal work.

Every client asks for a story in a prompt of its own (about 60 tokens), greedily, 96 tokens at most, streamed
over HTTP. `transformers` is its `generate` in this process, all prompts in one batch: no server, no first
token. The peers are installed by `make bench-peers`.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from bench import report, server, settings
from nightschool.models import embedded

SERVERS = ("nightschool", "transformers", "vllm", "llama.cpp")
Run = dict[str, float]  # tokens a second, seconds to the first token


async def _load(url: str, model: str, clients: int, seed: int) -> Run:
    rounds = 4 if clients == 1 else 2

    async def one(client: httpx.AsyncClient, own: list[server.Chat]) -> list[tuple[int, float]]:
        return [await server.ask(client, model, chat) for chat in own]

    chats = server.chats(clients * rounds, seed)
    # llama.cpp's server closes a connection after some requests, so each request gets its own.
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits) as client:
        began = time.perf_counter()
        done = await asyncio.gather(*(one(client, chats[i::clients]) for i in range(clients)))
        seconds = time.perf_counter() - began
    answers = [answer for answers in done for answer in answers]
    return {
        "tokens_per_s": sum(tokens for tokens, _ in answers) / seconds,
        "first_token_s": statistics.median(first for _, first in answers),
    }


def _repeated(once: Callable[[int, int], Run], clients: list[int], repeats: int) -> dict[int, list[Run]]:
    """Runs by number of clients, every one with a seed of its own, after one that warms up."""
    once(2, 999)
    return {n: [once(n, 100 * n + i) for i in range(repeats)] for n in clients}


def _transformers() -> Callable[[int, int], Run]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = embedded.ensure()
    tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16).eval()

    def once(count: int, seed: int) -> Run:
        inputs = tokenizer.apply_chat_template(
            server.chats(count, seed),
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
            return_dict=True,
        )
        began = time.perf_counter()
        generated = model.generate(**inputs, max_new_tokens=server.TOKENS, do_sample=False)
        seconds = time.perf_counter() - began
        answers = generated[:, inputs["input_ids"].shape[1] :]
        return {"tokens_per_s": int((answers != tokenizer.pad_token_id).sum()) / seconds}

    return once


def _started(name: str, folder: Path) -> tuple[AbstractContextManager[str], str]:
    """A server, and what it calls the model."""
    if name == "nightschool":
        return server.nightschool(folder / "home"), "live"
    if name == "vllm":
        command = (
            f".bench/vllm/bin/python -m vllm.entrypoints.openai.api_server --model {embedded.ensure()} "
            "--port {port} --dtype bfloat16 --max-model-len 2048 --served-model-name m"
        )
        return server.running(command.split(), {"VLLM_CPU_KVCACHE_SPACE": "2"}), "m"
    script, bf16 = "bench/peers/llama_server.py", folder / "bf16.gguf"
    command = f".bench/llama/bin/python {script} {embedded.gguf_path()} {bf16} {{port}}"
    return server.running(command.split(), {}), "m"


def measure(name: str, folder: Path, clients: list[int], repeats: int) -> dict[int, list[Run]]:
    """A server's runs by number of clients."""
    if name == "transformers":
        return _repeated(_transformers(), clients, repeats)
    started, model = _started(name, folder)
    with started as url:
        return _repeated(lambda n, seed: asyncio.run(_load(url, model, n, seed)), clients, repeats)


def main(
    servers: Annotated[
        list[str] | None, typer.Argument(help=f"{', '.join(SERVERS)}; all by default.")
    ] = None,
    clients: Annotated[list[int] | None, typer.Option(help="Can be repeated; 1, 8, 32 by default.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs; medians are shown.")] = 3,
    out: Annotated[Path | None, typer.Option(help="Keep the result as OUT.json.")] = None,
) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in settings.chosen(servers, SERVERS):
            for count, runs in measure(name, Path(folder), clients or [1, 8, 32], repeats).items():
                rows.append(_row(name, count, runs))
                report.say(_line(rows[-1]))
    report.finish({"rows": rows}, out)


def _row(name: str, clients: int, runs: list[Run]) -> dict[str, Any]:
    row: dict[str, Any] = {"server": name, "clients": clients}
    for what in runs[0]:
        found = [run[what] for run in runs]
        row[what] = statistics.median(found)
        row[f"{what}_range"] = [min(found), max(found)]
    return row


def _line(row: dict[str, Any]) -> str:
    first = f", first token after {row['first_token_s']:.2f} s" if "first_token_s" in row else ""
    return f"{row['server']:12} {row['clients']:3} clients: {row['tokens_per_s']:6.1f} tok/s{first}"
