"""A real server on a free port, with a scripted model behind it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from nightschool.config import NightConfig, ServeConfig
from nightschool.engines.base import Engine
from nightschool.engines.scripted import ScriptedModel
from nightschool.night.schedule import Schedule
from nightschool.serve import create_app
from nightschool.store import Store


@dataclass
class Server:
    """What a test needs of a running server."""

    url: str
    model: Any  # a ScriptedModel, unless the test brought another
    store: Store
    client: OpenAI
    http: httpx.Client
    dreams: list[str] = field(default_factory=list)

    def ask(self, *texts: str, session: str | None = None, model: str = "live", **options: Any) -> str:
        """Alternating user and assistant texts; the answer's text."""
        messages: list[ChatCompletionMessageParam] = [
            {"role": "assistant", "content": text} if i % 2 else {"role": "user", "content": text}
            for i, text in enumerate(texts)
        ]
        headers = {"X-Session-Id": session} if session else None
        answer: ChatCompletion = self.client.chat.completions.create(
            model=model, messages=messages, extra_headers=headers, **options
        )
        return answer.choices[0].message.content or ""


def echo(prompt: str, version: str) -> str:
    """Says who it is and what was said last."""
    said = prompt.rstrip().rsplit("user: ", 1)[-1].rsplit("\nassistant:", 1)[0]
    return f"{version} heard {said}"


class _Ready(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@pytest.fixture
def serving(home: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers: serving(script, **settings), or with an engine that follows no script."""
    with ExitStack() as cleanup:

        def start(
            script: Callable[[str, str], str] = echo,
            *,
            context_length: int = 4096,
            engine: Engine | None = None,
            **settings: Any,
        ) -> Server:
            model = engine or ScriptedModel(script, context_length=context_length)
            store = Store.open(home)
            dreams: list[str] = []

            def dream() -> str:
                with store.dreams.lock():
                    dreams.append("d_1")
                return "d_1"

            app = create_app(
                model,
                store,
                ServeConfig(**settings),
                dream=dream,
                schedule=Schedule(NightConfig(), dream),
            )
            listening = socket.socket()
            cleanup.callback(listening.close)
            listening.bind(("127.0.0.1", 0))
            server = _Ready(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            cleanup.callback(thread.join)
            cleanup.callback(setattr, server, "should_exit", True)
            assert server.ready.wait(20)
            url = "http://{}:{}".format(*listening.getsockname())
            client = cleanup.enter_context(OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0))
            http = cleanup.enter_context(httpx.Client(base_url=url, timeout=20))
            return Server(url, model, store, client, http, dreams)

        yield start


@pytest.fixture
def server(serving: Callable[..., Server]) -> Server:
    return serving()
