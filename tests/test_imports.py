"""Which room may import which, and what starts without torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nightschool

ROOT = Path(nightschool.__file__).parent
# What each room may import of ours; `types`, `errors` and `config` are everybody's.
ALLOWED = {
    "types": set(),
    "errors": set(),
    "config": set(),
    "store": set(),
    "engines": set(),
    "models": {"engines"},
    "lessons": {"engines"},
    "versions": set(),
    "learn": {"engines", "models", "lessons"},
    "gate": {"engines", "models", "learn", "lessons"},
    "serve": {"engines", "store"},
    "checks": set(),
}
COMMON = {"types", "errors", "config"}


def imports(path: Path) -> set[str]:
    """The rooms of ours that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nightschool."):
            found.add((node.module or "").split(".")[1])
    return found


@pytest.mark.parametrize("room", ALLOWED)
def test_arrows_between_rooms(room: str) -> None:
    files = [ROOT / f"{room}.py"] if (ROOT / f"{room}.py").exists() else sorted((ROOT / room).rglob("*.py"))
    assert files
    for file in files:
        extra = imports(file) - COMMON - ALLOWED[room] - {room}
        assert not extra, f"{file.name} imports {extra}"


@pytest.mark.parametrize(
    "code",
    [
        "import nightschool.types, nightschool.store, nightschool.serve, nightschool.cli",
        "import nightschool.lessons.build, nightschool.versions.files, nightschool.engines.scripted",
        "import sys; sys.argv = ['nightschool', '--help']\n"
        "from nightschool.cli import main\n"
        "try: main()\nexcept SystemExit: pass",
    ],
)
def test_starts_without_torch(code: str) -> None:
    check = f"{code}\nimport sys; assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)
