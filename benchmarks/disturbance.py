"""How much a dream disturbs the server beside it: time to first token under light load, without and with one.

    python -m benchmarks.disturbance [--requests 40] [--out docs/results/disturbance]

One short request every second (16 tokens wanted), first to a quiet server, then while it dreams of three
invoices in its own process at the lowest priority.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from benchmarks.curve import like
from benchmarks.machine import describe, write
from benchmarks.serving import ask, chats, running
from nightschool.store import Store


async def _light_load(url: str, requests: int, seed: int) -> list[float]:
    """Seconds to the first token of requests that start a second apart."""
    async with httpx.AsyncClient(base_url=url, timeout=600) as client:
        found = []
        for chat in chats(requests, seed):
            began = time.perf_counter()
            found.append((await ask(client, "live", chat, tokens=16))[1])
            await asyncio.sleep(max(0.0, 1 - (time.perf_counter() - began)))
        return found


def _numbers(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {"median": statistics.median(ordered), "p95": ordered[int(0.95 * (len(ordered) - 1))]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with closing(Store.open(home)) as store:
            like(store, "invoices")
        command = [sys.executable, "-m", "nightschool", "serve", "--serve.port", "{port}"]
        with running(command, {"NIGHTSCHOOL_HOME": folder}) as url:
            asyncio.run(_light_load(url, 3, 9))
            quiet = asyncio.run(_light_load(url, chosen.requests, 1))
            httpx.post(f"{url}/v1/dreams", timeout=60).raise_for_status()
            dreaming = asyncio.run(_light_load(url, chosen.requests, 2))
            (dream,) = httpx.get(f"{url}/v1/dreams", timeout=60).json()["data"]
            if dream["status"] != "running":
                raise SystemExit("the dream was over before the load was: fewer --requests")
            while httpx.get(f"{url}/v1/dreams", timeout=60).json()["data"][0]["status"] == "running":
                time.sleep(1)
    result: dict[str, Any] = {
        "machine": describe(),
        "quiet": _numbers(quiet),
        "dreaming": _numbers(dreaming),
        "p95_ratio": _numbers(dreaming)["p95"] / _numbers(quiet)["p95"],
    }
    print(json.dumps(result, indent=1))
    write(chosen.out, result)


if __name__ == "__main__":
    main()
