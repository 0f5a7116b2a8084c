"""Codex CLI, whose prompt has more tokens than the embedded model's context: a script answers."""

import tempfile
from pathlib import Path

from cells import DEGREES, NODE, SCRIPTED_V1, WEATHER, command, liked, run

_CONFIG = f"""
model = "live"
model_provider = "nightschool"
[model_providers.nightschool]
name = "Nightschool"
base_url = "{SCRIPTED_V1}"
wire_api = "responses"
"""
folder = Path(tempfile.mkdtemp())
(folder / "config.toml").write_text(_CONFIG)


def codex(*arguments: str) -> str:
    binary = f"{NODE}/node_modules/.bin/codex"
    free = ("--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
    return command(binary, "exec", *free, *arguments, folder=folder, CODEX_HOME=str(folder))


def chat() -> None:
    assert "I am a script" in codex("Hello")


def tools() -> None:
    """It runs a command and tells what came out."""
    assert DEGREES in codex(WEATHER)


def good() -> None:
    codex("Hello again")
    liked(codex("resume", "--last", "good:"))


run(chat=chat, responses=chat, tools=tools, good=good)
