"""What the pages say about commands, settings, targets and files is so."""

import ast
import io
import re
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console

from bench.__main__ import BENCHMARKS
from nightschool.cli.demo import print_result
from nightschool.cli.main import app
from nightschool.config import sections
from nightschool.measure.cases import read_cases
from nightschool.serve.importing import import_sessions
from nightschool.serve.wire import parse_messages
from nightschool.store import Store

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
# Pages about today; the others tell of commands as they were when they were run.
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/architecture.md",
    "docs/adding-a-rule.md",
    "docs/clients.md",
)


def code(page: str) -> str:
    """A page's code: fenced blocks, then spans."""
    text = (ROOT / page).read_text()
    fences = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return "\n".join(chain(fences, (span.replace("\n", " ") for span in spans)))


@pytest.mark.parametrize("page", PAGES)
def test_what_is_typed_exists(page: str) -> None:
    text = code(page)
    commands = typer.main.get_group(app).commands
    assert set(re.findall(r"^nightschool ([a-z]+)", text, re.MULTILINE)) <= {*commands}
    assert set(re.findall(r"python -m bench ([a-z-]+)", text)) <= {*BENCHMARKS}
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)) <= targets
    for module in re.findall(r"python -m ((?:docs|tests)\.[a-z.]+)", text):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), module


@pytest.mark.parametrize("page", PAGES)
def test_settings_exist(page: str) -> None:
    known = {f"{name}.{key}" for name, section in sections() for key in section.model_fields}
    names = "|".join({name.split(".")[0] for name, _ in sections()})
    named = re.findall(rf"(?<![\w/.])(?:--)?((?:{names})(?:\.[a-z_]+)+)", code(page))
    assert {name for name in named if not name.endswith((".py", ".json"))} <= known


@pytest.mark.parametrize(
    "page",
    [p.relative_to(ROOT).as_posix() for p in ROOT.glob("**/*.md") if not {".venv", ".bench"} & {*p.parts}],
)
def test_links_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text())
    for target in (t for t in targets if "://" not in t):
        assert ((ROOT / page).parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page: str) -> None:
    spans = re.findall(r"`((?:nightschool|tests|docs|bench|\.ci)/[\w./-]+)`", (ROOT / page).read_text())
    invented = {"nightschool/learn/rules/rejection.py"}  # the rule that docs/adding-a-rule.md adds
    missing = [span for span in spans if span not in invented and not (ROOT / span).exists()]
    assert not missing


def test_the_readmes_python_is_python() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    ast.parse(block)


def test_the_readmes_lines_can_be_imported_and_evaluated(store: Store) -> None:
    (block,) = re.findall(r"^```json\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    session, case = (line.encode() for line in block.splitlines())
    report = import_sessions(store, [session])
    assert (report.new, report.bad) == (1, [])
    assert len(read_cases([case], parse_messages)) == 1


def test_the_demo_block_is_what_the_demo_prints_for_these_numbers() -> None:
    (block,) = re.findall(r"<!-- demo -->\n```\n(.*?)\n```", README, re.DOTALL)
    shown = io.StringIO()
    print_result(_result_of(block), Console(file=shown, width=80))
    assert [line.rstrip() for line in shown.getvalue().strip("\n").splitlines()] == [
        line.rstrip() for line in block.strip("\n").splitlines()
    ]


def _result_of(block: str) -> dict[str, Any]:
    """A demo's result, read from what was printed of it."""

    def numbers(label: str) -> list[float]:
        (row,) = [line for line in block.splitlines() if label in line]
        return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", row)]

    seconds, steps = numbers("the dream (s)")
    examples = [
        {
            "request": " ".join(request.split()),
            "before": " ".join(before.split()),
            "after": " ".join(after.split()),
        }
        for request, before, after in re.findall(
            r"^request (.*?)^before  (.*?)^after   (.*?)(?=^$|\Z)", block, re.DOTALL | re.MULTILINE
        )
    ]
    return {
        "accuracy": dict(enumerate(numbers("accuracy"))),
        "kl_to_base": numbers("KL to base")[-1],
        "dream_seconds": seconds,
        "steps": int(steps),
        "peak_memory_bytes": numbers("its peak memory")[0] * 1e9,
        "adapter_bytes": numbers("adapter (MB)")[0] * 1e6,
        "examples": examples,
    }
