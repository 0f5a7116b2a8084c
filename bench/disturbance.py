"""How much a dream disturbs the server beside it: time to first token under light load, without and with one.

One short request a second, for 16 tokens, first to a quiet server, then while it dreams of three
invoices in a process of its own at the lowest priority.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from bench import report, server
from bench.ungated import like
from bench.work.kinds import invoices
from nightschool.store import Store

TOKENS = 16


async def _light_load(url: str, requests: int, seed: int) -> list[float]:
    """Seconds to the first token of requests that start a second apart."""
    async with httpx.AsyncClient(base_url=url, timeout=600) as client:
        found = []
        for chat in server.chats(requests, seed):
            began = time.perf_counter()
            found.append((await server.ask(client, "live", chat, TOKENS))[1])
            await asyncio.sleep(max(0.0, 1 - (time.perf_counter() - began)))
        return found


def _dream(url: str) -> dict[str, Any]:
    """The only dream so far."""
    (dream,) = httpx.get(f"{url}/v1/dreams", timeout=60).raise_for_status().json()["data"]
    found: dict[str, Any] = dream
    return found


def _summary(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {"median": statistics.median(ordered), "p95": ordered[int(0.95 * (len(ordered) - 1))]}


def main(
    requests: Annotated[int, typer.Option(min=1, help="Each time, a second apart.")] = 40,
    out: Annotated[Path | None, typer.Option(help="Keep the result as OUT.json.")] = None,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with closing(Store.open(home)) as store:
            like(store, invoices(0).session)
        with server.nightschool(home) as url:
            asyncio.run(_light_load(url, 3, 9))  # warms up
            quiet = _summary(asyncio.run(_light_load(url, requests, 1)))
            httpx.post(f"{url}/v1/dreams", timeout=60).raise_for_status()
            dreaming = _summary(asyncio.run(_light_load(url, requests, 2)))
            if _dream(url)["status"] != "running":
                raise SystemExit("the dream was over before the load was: take fewer --requests")
            while _dream(url)["status"] == "running":
                time.sleep(1)
    ratio = dreaming["p95"] / quiet["p95"]
    report.finish({"quiet": quiet, "dreaming": dreaming, "p95_ratio": ratio}, out)
