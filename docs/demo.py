"""Writes the README's demo block from a real run (minutes): `python -m docs.demo`."""

import io
import re
from pathlib import Path

from rich.console import Console

from nightschool.cli.common import err
from nightschool.cli.demo import check, print_result, run
from nightschool.config import load

README = Path(__file__).parents[1] / "README.md"
_BLOCK = re.compile(r"(?<=<!-- demo -->\n)```\n.*?\n```", re.DOTALL)


def with_block(text: str, shown: str) -> str:
    """The README with `shown` between the mark and the end of its fence."""
    lines = [line.rstrip() for line in shown.strip("\n").splitlines()]
    block = "\n".join(["```", *lines, "```"])
    found, count = _BLOCK.subn(lambda _: block, text)
    assert count == 1, "the README has one <!-- demo --> block"
    return found


if __name__ == "__main__":
    result = run(load(), err)
    check(result)
    shown = io.StringIO()
    print_result(result, Console(file=shown, width=80))
    README.write_text(with_block(README.read_text(), shown.getvalue()))
