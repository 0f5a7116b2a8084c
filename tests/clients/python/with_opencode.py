"""opencode, the command."""

import json
import tempfile
from pathlib import Path

from cells import DEGREES, NODE, SCRIPTED_V1, WEATHER, command, liked, run

_MODEL = {"name": "live", "limit": {"context": 400_000, "output": 512}}
_CONFIG = {
    "provider": {
        "nightschool": {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": SCRIPTED_V1, "apiKey": "none"},
            "models": {"live": _MODEL},
        }
    },
    "share": "disabled",
    "autoupdate": False,
    "permission": "allow",
}
folder = Path(tempfile.mkdtemp())
(folder / "opencode.json").write_text(json.dumps(_CONFIG))


def opencode(*arguments: str) -> str:
    binary = f"{NODE}/node_modules/.bin/opencode"
    return command(binary, "run", "--model", "nightschool/live", *arguments, folder=folder)


def chat() -> None:
    assert "I am a script" in opencode("Hello")


def tools() -> None:
    """It runs a command, and tells what came out."""
    assert DEGREES in opencode(WEATHER)


def good() -> None:
    opencode("Hello again")
    liked(opencode("--continue", "/good"))


run(chat=chat, tools=tools, good=good)
