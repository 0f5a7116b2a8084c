"""Claude Code, whose prompt has more tokens than the embedded model's context: a script answers."""

import tempfile
from pathlib import Path

from cells import DEGREES, NODE, SCRIPTED, WEATHER, command, liked, run

folder = Path(tempfile.mkdtemp())
ENVIRONMENT = {
    "ANTHROPIC_BASE_URL": SCRIPTED,
    "ANTHROPIC_AUTH_TOKEN": "none",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "live",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}


def claude(*arguments: str) -> str:
    binary = f"{NODE}/node_modules/.bin/claude"
    return command(binary, "--model", "live", "--print", *arguments, folder=folder, **ENVIRONMENT)


def chat() -> None:
    assert "I am a script" in claude("Hello")


def tools() -> None:
    """It runs a command, and tells what came out."""
    assert DEGREES in claude(WEATHER, "--allowed-tools", "Bash")


def good() -> None:
    claude("Hello again")
    liked(claude("--continue", "good:"))


run(chat=chat, messages=chat, tools=tools, good=good)
