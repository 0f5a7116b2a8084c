"""`nightschool demo`: a whole day and night on invented invoices, through the interfaces that a user has.

A server is started with a temporary home. The morning's session goes through the official OpenAI client, and
the dream runs in this process, with its progress bar. Then the same running server is asked about invoices
that it has never seen, with no session in its context.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from openai import OpenAI
from rich.console import Console
from rich.table import Table

from nightschool.cli import progress
from nightschool.cli.text import literal
from nightschool.config import Config
from nightschool.errors import NightschoolError
from nightschool.types import BASE, LIVE

UNSEEN = 40  # invoices; at an accuracy of 0.9 the standard error is 0.05
Turns = list[dict[str, str]]


@dataclass(frozen=True)
class Invoice:
    """An invoice: the mail that announces it, and the line that is the right answer to it."""

    number: str
    company: str
    amount: str
    due: str

    @property
    def mail(self) -> str:
        return f"Invoice {self.number} from {self.company} over {self.amount} EUR, due {self.due}."

    @property
    def line(self) -> str:
        return f"PAY | {self.company} | {self.number} | {self.amount} EUR | {self.due}"


MORNING = (
    Invoice("INV-2041", "Acme Ltd", "1250.00", "2026-03-14"),
    Invoice("INV-7718", "Northwind GmbH", "389.50", "2026-04-02"),
    Invoice("INV-5530", "Bluebird Inc", "74.20", "2026-05-19"),
)
# Neither these names nor their kinds of business are in the session or among the words of variations.
_COMPANIES = (
    "Tailspin Toys|Contoso Supply|Fabrikam Works|Litware Partners|Wingtip Services|Adatum Paper|"
    "Proseware Tools|Lucerne Dairy|Trey Optics|Margie Travel|Coho Vineyard|Humongous Glass|"
    "Woodgrove Energy|Relecloud Data|Munson Pickles|Bellows College|Graphic Design Institute|Fourth Coffee|"
    "School Press|Consolidated Messenger"
).split("|")


def unseen(count: int, seed: int) -> list[Invoice]:
    """Random invoices, from companies that the session does not name."""
    rng = random.Random(seed)
    return [
        Invoice(
            f"INV-{rng.randint(1000, 9999)}",
            rng.choice(_COMPANIES),
            f"{rng.randint(20, 4000)}.{rng.randint(0, 99):02d}",
            f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
        )
        for _ in range(count)
    ]


def run(config: Config, console: Console) -> dict[str, Any]:
    """Run the whole day, reporting on `console`, and return what was measured."""
    with tempfile.TemporaryDirectory(prefix="nightschool-demo-") as folder:
        home = Path(folder)
        console.print("[bold]Morning.[/] Starting the server (the first time, the model is unpacked).")
        with _server(home, config) as url:
            return _day_and_night(config, home, url, console)


def check(result: dict[str, Any]) -> None:
    """Raises NightschoolError if the dream was rejected."""
    if not result["version"]:
        raise NightschoolError("the gate rejected the dream: " + "; ".join(result["reasons"]))


def _day_and_night(config: Config, home: Path, url: str, console: Console) -> dict[str, Any]:
    client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=600)
    session, chat = _morning(client, console)
    # From inside the chat: only so the server hears that the last answer was edited, too.
    _ask(client, [*chat, {"role": "user", "content": "/good"}], LIVE, {"X-Session-Id": session})
    console.print("[green]thumbs up[/]\n")

    invoices = unseen(UNSEEN, config.learn.seed + 1)
    console.print(
        f"[bold]Noon.[/] {UNSEEN} invoices it has never seen, without and with the session in context."
    )
    before = _ask_all(client, invoices, BASE, [])
    in_context = _ask_all(client, invoices, BASE, chat)

    console.print("\n[bold]Night.[/]")
    os.environ["NIGHTSCHOOL_HOME"] = str(home)
    outcome = progress.dream(config, home, (), console)
    progress.print_outcome(outcome, console)

    console.print("\n[bold]Next morning.[/] The same server, still running, with no session in its context.")
    swapped = time.perf_counter()
    health = httpx.get(f"{url}/healthz", timeout=60).json()
    swap_seconds = time.perf_counter() - swapped
    after = _ask_all(client, invoices, LIVE, [])
    size = _adapter_bytes(home, outcome.version)
    return {
        "accuracy": {
            "base": _right(invoices, before),
            "session_in_context": _right(invoices, in_context),
            "after_the_dream": _right(invoices, after),
        },
        "n": UNSEEN,
        "kl_to_base": outcome.verdict.numbers["kl_to_base"],
        "dream_seconds": round(outcome.seconds, 1),
        "swap_seconds": round(swap_seconds, 2),
        "peak_memory_bytes": outcome.numbers["peak_memory_bytes"],
        "adapter_bytes": size,
        "steps": outcome.numbers["steps"],
        "version": outcome.version,
        "answering": health["answering"],
        "reasons": list(outcome.verdict.reasons),
        "examples": [
            {"request": i.mail, "before": b, "after": a}
            for i, b, a in zip(invoices[:3], before, after, strict=False)
        ],
    }


def _morning(client: OpenAI, console: Console) -> tuple[str, Turns]:
    """Three mails in one session. The user corrects wrong answers by editing them, as chat clients allow.

    Returns the session's id and its turns.
    """
    chat: Turns = []
    headers = {"X-Session-Id": "morning"}  # all sampling is seeded by it, so every demo is the same
    for invoice in MORNING:
        chat.append({"role": "user", "content": invoice.mail})
        answer, session = _ask(client, chat, LIVE, headers)
        headers = {"X-Session-Id": session}
        console.print("[bold]user[/]  ", literal(invoice.mail), highlight=False)
        console.print("[bold]model[/] ", literal(_short(answer)), highlight=False)
        if answer != invoice.line:
            answer = invoice.line
            console.print("[bold]edited[/]", literal(answer), highlight=False)
        chat.append({"role": "assistant", "content": answer})
    return session, chat


def _ask(client: OpenAI, messages: Turns, version: str, headers: dict[str, str]) -> tuple[str, str]:
    """A greedy answer, and the id of the session in which it was recorded."""
    raw = client.chat.completions.with_raw_response.create(
        model=version,
        messages=messages,  # type: ignore[arg-type]
        temperature=0,
        max_tokens=64,
        extra_headers=headers,
    )
    content = raw.parse().choices[0].message.content or ""
    return content.strip(), raw.headers["x-session-id"]


def _ask_all(client: OpenAI, invoices: Sequence[Invoice], version: str, context: Turns) -> list[str]:
    """The answers about all invoices, asked at the same time: the server decodes them together."""

    def one(invoice: Invoice) -> str:
        return _ask(client, [*context, {"role": "user", "content": invoice.mail}], version, {})[0]

    with ThreadPoolExecutor(len(invoices)) as pool:
        return list(pool.map(one, invoices))


def _right(invoices: Sequence[Invoice], answers: Sequence[str]) -> float:
    return sum(a == i.line for i, a in zip(invoices, answers, strict=True)) / len(invoices)


def _adapter_bytes(home: Path, version: str | None) -> int:
    path = home / "versions" / (version or "") / "adapter_model.safetensors"
    return path.stat().st_size if path.is_file() else 0


@contextmanager
def _server(home: Path, config: Config) -> Iterator[str]:
    """The address of a `nightschool serve` on a free port, started as a user would start it."""
    environment = os.environ | {"NIGHTSCHOOL_HOME": str(home)}
    settings = ["--serve.port", "0", "--model.id", config.model.id, "--model.dtype", config.model.dtype]
    process = subprocess.Popen(
        [sys.executable, "-m", "nightschool", "serve", *settings],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout
    try:
        ready = process.stdout.readline()  # printed once it listens
        if "http://" not in ready:
            raise NightschoolError("the server did not start: see its messages above")
        yield "http://" + ready.split("http://")[1].split("/")[0]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def print_result(result: dict[str, Any], console: Console) -> None:
    """Print what was measured as a table, and three answers before and after the dream."""
    table = Table(title=f"{UNSEEN} unseen invoices, exact match")
    for name in ("", "base", "session in context", "after the dream"):
        table.add_column(name, justify="right" if name else "left")
    accuracy = [f"{value:.3f}" for value in result["accuracy"].values()]
    table.add_row("accuracy", *accuracy)
    table.add_row("KL to base on unrelated requests (nats/token)", "0", "-", f"{result['kl_to_base']:.3f}")
    table.add_row("the dream (s)", "", "", f"{result['dream_seconds']:.0f} ({result['steps']} steps)")
    table.add_row("its peak memory (GB)", "", "", f"{result['peak_memory_bytes'] / 1e9:.1f}")
    table.add_row("adapter (MB)", "", "", f"{result['adapter_bytes'] / 1e6:.1f}")
    console.print(table)
    for example in result["examples"]:
        console.print("\n[bold]request[/]", literal(example["request"]), highlight=False)
        console.print("[bold]before [/]", literal(_short(example["before"])), highlight=False)
        console.print("[bold]after  [/]", literal(_short(example["after"])), highlight=False)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 96 else line[:95] + "…"
