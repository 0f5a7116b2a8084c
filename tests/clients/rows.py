"""The clients, and their rows: each script run once against two servers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.server import nightschool, running

HERE = Path(__file__).parent
ENVIRONMENTS = Path(os.environ.get("CLIENTS_ENV") or HERE.parents[1] / ".bench" / "clients")
ROWS = ENVIRONMENTS / "rows.json"
_SECONDS = 1200  # for one script
_MARK = "CELL "


@dataclass(frozen=True)
class Client:
    """A client, its script, and the cells that the script has.

    environment  common, llama-index or aider; Node's scripts are known by their ending
    scripted     the cells in which a script answers, as the embedded model could not: it calls no tool by
                 itself, and has no room for the prompts of large agents
    """

    name: str
    script: str
    cells: str
    environment: str = "common"
    scripted: str = "tools"


_ALL = "chat stream tools forced structured responses good"
CLIENTS = (
    Client("openai-python", "with_openai.py", f"{_ALL} errors"),
    Client("openai-node", "with_openai.mjs", f"{_ALL} errors"),
    Client("AI SDK, openai()", "with_ai_sdk.mjs", "chat stream tools forced structured good"),
    Client("AI SDK, openai.chat()", "with_ai_sdk_chat.mjs", "chat stream tools forced structured good"),
    Client(
        "AI SDK, openai-compatible", "with_ai_sdk_compatible.mjs", "chat stream tools forced structured good"
    ),
    Client("litellm", "with_litellm.py", f"{_ALL} messages errors"),
    Client("llm", "with_llm.py", "chat stream tools structured responses good"),
    Client("langchain-openai", "with_langchain.py", f"{_ALL} errors"),
    Client("pydantic-ai", "with_pydantic_ai.py", _ALL),
    Client("openai-agents (Python)", "with_openai_agents.py", _ALL),
    Client("openai-agents (JavaScript)", "with_openai_agents.mjs", _ALL),
    Client("instructor", "with_instructor.py", "forced structured responses"),
    Client("smolagents", "with_smolagents.py", "chat stream tools forced good"),
    Client("dspy", "with_dspy.py", "chat structured responses good"),
    Client("anthropic", "with_anthropic.py", "chat stream tools forced messages good"),
    Client("llama-index", "with_llama_index.py", "chat stream tools structured good", "llama-index"),
    Client("autogen", "with_autogen.py", "chat stream tools structured good"),
    Client("agno", "with_agno.py", "chat stream tools structured good"),
    Client("haystack", "with_haystack.py", "chat stream tools structured good"),
    Client("Codex CLI", "with_codex.py", "chat tools responses good", scripted="chat tools responses good"),
    Client(
        "Claude Code", "with_claude_code.py", "chat tools messages good", scripted="chat tools messages good"
    ),
    Client("opencode", "with_opencode.py", "chat tools good", scripted="chat tools good"),
    Client("aider", "with_aider.py", "chat good", "aider", scripted="chat good"),
    Client(
        "the vendors' OpenAPI documents",
        "with_schemas.py",
        "chat stream tools responses messages completions good errors",
    ),
)
CELLS = "chat stream tools forced structured responses messages completions good errors".split()


@dataclass(frozen=True)
class Cell:
    """How one thing went: `works`, `refused` (with an error of ours) or `broken`, and why."""

    cell: str
    outcome: str
    note: str


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, str]]:
    """The servers' addresses, as the scripts read them from their environment."""
    script = [sys.executable, "-m", "tests.clients.server", "{port}"]
    with (
        nightschool(folder / "real", "--model.threads", "1") as real,
        running(script, {"NIGHTSCHOOL_HOME": str(folder / "scripted")}) as scripted,
    ):
        yield {"NIGHTSCHOOL_URL": real, "SCRIPTED_URL": scripted}


def row(client: Client, addresses: dict[str, str]) -> dict[str, Cell]:
    """A client's cells. One that its script did not come to is broken."""
    done = subprocess.run(
        _command(client),
        env=_environment() | addresses,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    cells = [Cell(**json.loads(line.removeprefix(_MARK))) for line in lines]
    missing = " ".join(done.stderr.split())[-300:]
    absent = {name: Cell(name, "broken", f"its script ended: {missing}") for name in client.cells.split()}
    return absent | {cell.cell: cell for cell in cells}


def write(rows: dict[str, dict[str, Cell]]) -> None:
    """Keep rows for the report, beside those of clients that were not run this time."""
    known = read() | {name: {c.cell: asdict(c) for c in cells.values()} for name, cells in rows.items()}
    ROWS.write_text(json.dumps(known, indent=1, ensure_ascii=False))


def read() -> dict[str, dict[str, dict[str, str]]]:
    """All rows that were kept."""
    rows: dict[str, dict[str, dict[str, str]]] = json.loads(ROWS.read_text()) if ROWS.exists() else {}
    return rows


def _command(client: Client) -> list[str]:
    if client.script.endswith(".mjs"):
        # Node looks for packages beside a script.
        for script in (HERE / "node").glob("*.mjs"):
            shutil.copy(script, ENVIRONMENTS / "node")
        return ["node", str(ENVIRONMENTS / "node" / client.script)]
    python = ENVIRONMENTS / client.environment / "bin" / "python"
    return [str(python), str(HERE / "python" / client.script)]


def _environment() -> dict[str, str]:
    """Ours without what would lead a client elsewhere."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "ANTHROPIC_", "PYTHON"))}
    # Without the second, litellm looks for prices on the internet first.
    own = {"CLIENTS_NODE": str(ENVIRONMENTS / "node"), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return kept | own | {"OMP_NUM_THREADS": "1"}
