"""What every script shares: the servers' addresses, the question for a tool, and running cells."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

URL = os.environ["NIGHTSCHOOL_URL"]  # with the embedded model
SCRIPTED = os.environ["SCRIPTED_URL"]  # calls a tool when the weather is asked for
NODE = os.environ["CLIENTS_NODE"]  # the folder with node_modules
V1, SCRIPTED_V1 = f"{URL}/v1", f"{SCRIPTED}/v1"
WEATHER = "What is the weather in Paris?"
DEGREES = "21 degrees"  # the tool says it, and so does the answer
_REFUSED = re.compile(r"\b4[0-2]\d\b|BadRequest|NotFound|invalid_request_error|Unprocessable")
_LONGEST = 300  # characters of a note


def get_weather(city: str) -> str:
    """Get the current weather in a city.

    Args:
        city: The city.
    """
    return f"{DEGREES} in {city}"


def schema_of_weather() -> dict[str, Any]:
    """The tool as chat completions have it."""
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    function = {
        "name": "get_weather",
        "description": "Get the current weather in a city",
        "parameters": parameters,
    }
    return {"type": "function", "function": function}


def limit(url: str) -> int:
    """Longest answer in tokens, which are characters where a script answers."""
    return 400 if url.startswith(SCRIPTED) else 200


def liked(reply: Any) -> None:
    """Check what is answered to `/good`."""
    assert "will be learned" in str(reply), reply


def raised(call: Callable[[], Any]) -> BaseException:
    """What a call that has to fail raises."""
    try:
        call()
    except Exception as e:  # noqa: BLE001  the caller looks at its class
        return e
    raise AssertionError("this had to fail")


def run(**cells: Callable[[], Any]) -> None:
    """Run each cell and print how it went. A cell raises whatever goes wrong."""
    for name, cell in cells.items():
        try:
            if inspect.iscoroutinefunction(cell):
                asyncio.run(cell())
            else:
                cell()
        except Exception as e:  # noqa: BLE001  what clients raise is of many kinds
            _tell(name, "refused" if _REFUSED.search(_text(e)) else "broken", _text(e))
        else:
            _tell(name, "works", "")


def command(*arguments: str, folder: Path, said: str = "", **environment: str) -> str:
    """Run a client that is a command in a folder; its output. `said` is what is typed. Raises RuntimeError
    with all of the output if it fails."""
    done = subprocess.run(
        arguments,
        input=said,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=folder,
        env={**os.environ, "PWD": str(folder), "HOME": str(folder), **environment},
    )
    if done.returncode:
        raise RuntimeError(f"{arguments[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def _text(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _tell(cell: str, outcome: str, note: str) -> None:
    print("CELL", json.dumps({"cell": cell, "outcome": outcome, "note": note[:_LONGEST]}), flush=True)
