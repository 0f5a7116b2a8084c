"""Text that others wrote, in a terminal: shown as it is, never obeyed."""

import io
import json
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from nightschool.cli.text import as_json, literal, survive_any_encoding

ENCODINGS = ("utf-8", "ascii", "latin-1")
anything = st.text(st.characters(codec=None, categories=("L", "N", "P", "S", "Z", "C")))


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[INST] x [/INST] [red]y[/] :smile:", "[INST] x [/INST] [red]y[/] :smile:"),
        ("\x1b[2J\x1b]0;title\x07 \r \x9b2J", r"\x1b[2J\x1b]0;title\x07 \r \x9b2J"),
        ("abc\u202edef \ud83d", r"abc\u202edef \ud83d"),
        ("two\nlines, größer 日本 👩‍🚀", "two\nlines, größer 日本 👩‍🚀"),
    ],
)
def test_neither_markup_nor_escape_sequences(text: str, shown: str) -> None:
    assert literal(text).plain == shown
    out = io.StringIO()
    Console(file=out, width=80).print(literal(text))
    assert out.getvalue() == f"{shown}\n"


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=anything)
def test_every_encoding_survives_every_text(
    monkeypatch: pytest.MonkeyPatch, encoding: str, text: str
) -> None:
    out = stream(encoding)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        survive_any_encoding()
        Console().print(literal(text))
        print(as_json({text: [text]}))
    out.flush()
    written = out.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert not {c for c in written if c < " " and c not in "\n\t"}
    printed = written[written.rindex("{\n") :]
    assert json.loads(printed) == {text: [text]}
