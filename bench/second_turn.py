"""Time to first token of the two turns of a chat that begins with about 2,000 tokens.

The second turn adds a sentence to the first and its answer. It is fast if the server keeps what it computed
for the first (`kept`); `nothing_kept` is measured with `--serve.prefix_cache_tokens 0`.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from bench import report, server

TOKENS = 16
KEPT = {"kept": "16384", "nothing_kept": "0"}  # tokens


def _chat(seed: int) -> server.Chat:
    """A document of about 2,000 tokens and a question about it."""
    text = " ".join(chat[0]["content"] for chat in server.chats(36, seed))
    return [{"role": "user", "content": f"{text} Which of these stories would you tell first?"}]


async def _turns(url: str, seed: int) -> tuple[float, float]:
    """Seconds to the first token of both turns."""
    async with httpx.AsyncClient(base_url=url, timeout=600) as client:
        chat = _chat(seed)
        _, first = await server.ask(client, "live", chat, TOKENS)
        body = {"model": "live", "messages": chat, "temperature": 0, "max_tokens": TOKENS}
        answer = (await client.post("/v1/chat/completions", json=body)).json()["choices"][0]["message"]
        more = {"role": "user", "content": "Why that one?"}
        _, second = await server.ask(client, "live", [*chat, answer, more], TOKENS)
        return first, second


def main(
    repeats: Annotated[int, typer.Option(min=1, help="Chats; medians are shown.")] = 3,
    out: Annotated[Path | None, typer.Option(help="Keep the result as OUT.json.")] = None,
) -> None:
    result: dict[str, Any] = {}
    for name, tokens in KEPT.items():
        with (
            tempfile.TemporaryDirectory() as folder,
            server.nightschool(Path(folder), "--serve.prefix_cache_tokens", tokens) as url,
        ):
            turns = [asyncio.run(_turns(url, seed)) for seed in range(repeats + 1)][1:]  # the first warms up
        first, second = (statistics.median(seconds) for seconds in zip(*turns, strict=True))
        result[name] = {"first_turn_s": first, "second_turn_s": second}
    report.finish(result, out)
