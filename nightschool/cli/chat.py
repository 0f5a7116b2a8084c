"""A chat in the terminal. It is a client of the server like any other, so it is recorded and learned, too."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from openai import OpenAI, OpenAIError
from openai.types.chat import ChatCompletionMessageParam
from rich.console import Console

from nightschool import app
from nightschool.cli.text import literal
from nightschool.config import Config, home
from nightschool.errors import NightschoolError


def run(config: Config, url: str | None, console: Console) -> None:
    """Chat until Ctrl-D, with the server at `url`, or else the one in the settings, or else a server that is
    started in this process. Raises NightschoolError if nothing answers at `url`.
    """
    with _server(config, url) as address:
        client = OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
        console.print("/good, /bad WHY, /undo and /dream are commands; Ctrl-D ends", style="dim")
        turns: list[ChatCompletionMessageParam] = []
        session = f"chat_{uuid.uuid4().hex[:12]}"
        while (text := _ask(console)) is not None:
            if text:
                turns.append({"role": "user", "content": text})
                _answer(client, turns, session, console)


def _ask(console: Console) -> str | None:
    """The next line that the user types, or None at Ctrl-D."""
    try:
        return console.input("[bold]> [/]").strip()
    except EOFError:
        console.print()
        return None


def _answer(client: OpenAI, turns: list[ChatCompletionMessageParam], session: str, console: Console) -> None:
    """Print the answer as it arrives and add it to the turns. If it fails, the user's turn is removed, so
    that it can be sent again.
    """
    text = ""
    try:
        headers = {"X-Session-Id": session}
        for chunk in client.chat.completions.create(
            model="live", messages=turns, stream=True, extra_headers=headers
        ):
            piece = (chunk.choices[0].delta.content or "") if chunk.choices else ""
            text += piece
            console.print(literal(piece), end="", soft_wrap=True)
        console.print()
    except OpenAIError as e:
        turns.pop()
        console.print(literal(f"error: {e}", "red"))
        return
    turns.append({"role": "assistant", "content": text})


@contextmanager
def _server(config: Config, url: str | None) -> Iterator[str]:
    """The address of a running server. If none answers and no `url` was given, one is started here."""
    address = (url or f"http://{config.serve.host}:{config.serve.port}").rstrip("/").removesuffix("/v1")
    if _answers(address):
        yield address
        return
    if url:
        raise NightschoolError(f"no server answers at {url}: start one with `nightschool serve`")
    server = uvicorn.Server(uvicorn.Config(app.build(config, home()), port=0, log_level="warning"))
    listening = app.listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield "http://{}:{}".format(*listening.getsockname())
    finally:
        server.should_exit = True
        thread.join()


def _answers(address: str) -> bool:
    """Whether a server answers at this address."""
    try:
        return httpx.get(f"{address}/healthz", timeout=2).is_success
    except httpx.HTTPError:
        return False
