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
    "versions": {"engines"},
    "learn": {"engines", "models", "lessons"},
    "measure": {"engines", "models", "learn"},
    "gate": set(),
    "serve": {"engines", "store", "versions"},
    "night": {"engines", "models", "store", "versions", "lessons", "learn", "measure", "gate"},
    "app": {"models", "store", "night", "serve"},
}
COMMON = {"types", "errors", "config", "seeds", "__init__"}


def imports(path: Path) -> set[str]:
    """The rooms of ours that a file imports, however it says so."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("nightschool.relative")  # not done here: the arrows would be hard to see
    rooms = {name.split(".")[1] for name in found if name.startswith("nightschool.")}
    return {"__init__" if room == "__version__" else room for room in rooms}


def test_every_way_to_import_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text(
        "import nightschool.store\nfrom nightschool import night, __version__\n"
        "from nightschool.learn.losses import top_k\nimport torch\nfrom . import y\n"
    )
    assert imports(file) == {"store", "night", "__init__", "learn", "relative"}


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
        "import nightschool.measure.cases, nightschool.measure.evaluate, nightschool.measure.probes",
        "import nightschool.gate.verdict",
        "import nightschool.night.queue, nightschool.night.launch, nightschool.night.schedule",
        "import sys, typer\nfrom nightschool.cli.main import app, main\n"
        "for command in [[], *([name] for name in typer.main.get_group(app).commands)]:\n"
        "    sys.argv = ['nightschool', *command, '--help']\n"
        "    try: main()\n"
        "    except SystemExit as done: assert not done.code",
    ],
)
def test_starts_without_torch(code: str) -> None:
    check = f"{code}\nimport sys; assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)
