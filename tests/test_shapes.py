"""The letters at the end of tensors' names, against their legend in docs/architecture.md."""

import ast
import re
from pathlib import Path

import nightschool

ROOT = Path(nightschool.__file__).parent
LEGEND = Path(__file__).parent.parent / "docs" / "architecture.md"
SUFFIX = re.compile(r"_?[a-z]\w*_(1?[A-Z][A-Z1]*)")


def names(path: Path) -> set[str]:
    """Every variable, argument and attribute of a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found


def test_the_legend_lists_exactly_the_letters_in_use() -> None:
    files = sorted(ROOT.rglob("*.py"))
    matches = [SUFFIX.fullmatch(name) for file in files for name in names(file)]
    used = {letter for match in matches if match for letter in match[1]}
    shapes = LEGEND.read_text().partition("## Shapes")[2]
    rows = [line.split("|")[1] for line in shapes.splitlines() if line.startswith("| `")]
    assert used == {letter for row in rows for letter in re.findall("`(.)`", row)}
