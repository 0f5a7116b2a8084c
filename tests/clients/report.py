"""The table of clients, from what `make test-clients` kept: `python -m tests.clients.report [FILE]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.clients.rows import CELLS, CLIENTS, HERE, read

_HEAD = """# Clients

Real clients against `nightschool serve` with the embedded model, each cell a test of `make test-clients`.

† a script answered in the model's place, as this model calls no tool by itself, and has no room for the
prompts of large agents. – the client has no such thing. *chat* is several turns with a system prompt, *tools*
a call that the model chooses, its result and the answer, *forced* a call that it has to make, *structured* an
answer by a schema, *good* is `/good` typed in the chat, *errors* what the client makes of too long a context.

"""


def table() -> Iterator[str]:
    """Lines of Markdown: the table, then what is wrong in each cell that does not work."""
    rows = read()
    yield f"| client | {' | '.join(CELLS)} |"
    yield f"|---|{'---|' * len(CELLS)}"
    notes = []
    for client in CLIENTS:
        cells = rows.get(client.name, {})
        shown = [cells[name]["outcome"] if name in cells else "–" for name in CELLS]
        marks = ["†" if name in client.scripted.split() and name in cells else "" for name in CELLS]
        yield f"| {client.name} | {' | '.join(s + m for s, m in zip(shown, marks, strict=True))} |"
        notes += [f"- {client.name}, {c['cell']}: {c['note']}" for c in cells.values() if c["note"]]
    working = sum(c["outcome"] == "works" for cells in rows.values() for c in cells.values())
    yield f"\n{working} of {sum(map(len, rows.values()))} cells work."
    if notes:
        yield "\nWhat does not:\n"
        yield from notes
    yield "\n## Versions\n"
    yield ", ".join(_versions()) + "."


def _versions() -> Iterator[str]:
    for file in sorted((HERE / "python").glob("requirements*.txt")):
        yield from (line.replace("==", " ") for line in file.read_text().splitlines() if "==" in line)
    for line in (HERE / "node" / "package.json").read_text().splitlines():
        name, _, version = line.strip().strip(",").partition(": ")
        if version[1:2].isdigit():
            yield f"{name} {version}".replace('"', "")


def main() -> None:
    text = _HEAD + "\n".join(table()) + "\n"
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
