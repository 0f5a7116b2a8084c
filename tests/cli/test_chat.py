"""The chat in the terminal, against a real server with a scripted model."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from rich.console import Console

from nightschool.cli import chat
from nightschool.config import Config
from nightschool.engines.scripted import ScriptedModel
from nightschool.errors import NightschoolError
from nightschool.models import hf
from nightschool.store import Store
from tests.serve.conftest import Server


class Terminal(Console):
    """Somebody types these lines, then Ctrl-D."""

    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__(file=io.StringIO(), width=80)
        self._typed = iter(lines)

    def input(self, *_: object, **__: object) -> str:
        try:
            return next(self._typed)
        except StopIteration:
            raise EOFError from None

    @property
    def shown(self) -> list[str]:
        assert isinstance(self.file, io.StringIO)
        return [line.rstrip() for line in self.file.getvalue().splitlines()]


def test_a_chat_is_one_recorded_session_and_takes_commands(server: Server) -> None:
    terminal = Terminal(["hello", " ", "again [b]", "/good"])
    chat.run(Config(), f"{server.url}/v1", terminal)
    assert terminal.shown[1:3] == ["base heard hello", "base heard again [b]"]
    (session,) = server.store.sessions.all()
    assert [m.content for m in session.messages[0::2]] == ["hello", "again [b]"]
    assert session.rating == "good"


def test_a_failed_turn_is_taken_back_so_that_it_can_be_sent_again(serving: Callable[..., Server]) -> None:
    server = serving(context_length=40)
    terminal = Terminal(["far too long " * 9, "hi"])
    chat.run(Config(), server.url, terminal)
    assert terminal.shown[1].startswith("error: ")
    assert terminal.shown[-2] == "base heard hi"
    (session,) = server.store.sessions.all()
    assert [m.content for m in session.messages] == ["hi", "base heard hi"]


def test_no_server_at_a_named_address_is_said(home: Path) -> None:
    with pytest.raises(NightschoolError, match=r"no server answers at http://127\.0\.0\.1:1:"):
        chat.run(Config(), "http://127.0.0.1:1", Terminal([]))


def test_without_a_server_it_starts_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf, "load", lambda _: ScriptedModel(lambda *_: "good day"))
    terminal = Terminal(["hello"])
    config = Config.model_validate({"serve": {"port": 1}})  # where nobody listens
    chat.run(config, None, terminal)
    assert terminal.shown[1] == "good day"
    store = Store.open(home)
    assert [m.content for m in store.sessions.all()[0].messages] == ["hello", "good day"]
    store.close()
