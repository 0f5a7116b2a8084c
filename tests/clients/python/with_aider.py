"""aider, the command. It keeps slash commands for itself."""

import sys
import tempfile
from pathlib import Path

from cells import SCRIPTED_V1, command, liked, run

OPTIONS = (
    "--model openai/live --yes-always --no-git --no-check-update --no-show-model-warnings --no-stream "
    "--analytics-disable --no-pretty --no-gitignore --map-tokens 0 --edit-format ask --no-show-release-notes"
).split()
AIDER = str(Path(sys.executable).parent / "aider")


def aider(*more: str, said: str = "") -> str:
    folder = Path(tempfile.mkdtemp())
    keys = {"OPENAI_API_BASE": SCRIPTED_V1, "OPENAI_API_KEY": "none"}
    return command(AIDER, *OPTIONS, *more, folder=folder, said=said, **keys)


def chat() -> None:
    assert "I am a script" in aider("--message", "Hello")


def good() -> None:
    """Typed in a chat."""
    liked(" ".join(aider("--no-fancy-input", said="Hello\ngood:\n/exit\n").split()))


run(chat=chat, good=good)
