"""Time to first token of the two turns of a chat that begins with about 2,000 tokens.

    python -m benchmarks.second_turn [--repeats 3] [--out docs/results/second-turn]

The second turn adds a sentence to the first and its answer: what is kept of the first makes it short.
`nothing_kept`: with `--serve.prefix_cache_tokens 0`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from benchmarks.machine import describe, write
from benchmarks.serving import Chat, ask, chats, running


def _chat(seed: int) -> Chat:
    """A document of about 2,000 tokens and a question about it."""
    text = " ".join(chat[0]["content"] for chat in chats(36, seed))
    return [{"role": "user", "content": f"{text} Which of these stories would you tell first?"}]


async def _turns(url: str, seed: int) -> tuple[float, float]:
    async with httpx.AsyncClient(base_url=url, timeout=600) as client:
        chat = _chat(seed)
        _, first = await ask(client, "live", chat, tokens=16)
        body = {"model": "live", "messages": chat, "temperature": 0, "max_tokens": 16}
        said = (await client.post("/v1/chat/completions", json=body)).json()["choices"][0]["message"]
        more = {"role": "user", "content": "Why that one?"}
        _, second = await ask(client, "live", [*chat, said, more], tokens=16)
        return first, second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    result: dict[str, Any] = {"machine": describe()}
    for name, kept in (("kept", "16384"), ("nothing_kept", "0")):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "nightschool", "serve", "--serve.port", "{port}"]
            command += ["--serve.prefix_cache_tokens", kept]
            with running(command, {"NIGHTSCHOOL_HOME": folder}) as url:
                turns = [asyncio.run(_turns(url, seed)) for seed in range(chosen.repeats + 1)][1:]
        first, second = (statistics.median(seconds) for seconds in zip(*turns, strict=True))
        result[name] = {"first_turn_s": first, "second_turn_s": second}
    print(json.dumps(result, indent=1))
    write(chosen.out, result)


if __name__ == "__main__":
    main()
