"""The pages of docs/ that are made from the command line."""

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_commands_says_what_the_code_does() -> None:
    from docs.cli import page

    assert (DOCS / "cli.md").read_text() == page()


def test_the_demo_block_is_replaced_and_nothing_else() -> None:
    from docs.demo import README, with_block

    text = README.read_text()
    before, rest = text.split("<!-- demo -->\n```\n")
    after = rest[rest.index("\n```\n") :]
    assert with_block(text, "\na table   \n") == f"{before}<!-- demo -->\n```\na table{after}"
    with pytest.raises(AssertionError):
        with_block("no mark", "a table")
