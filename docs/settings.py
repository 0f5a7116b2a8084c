"""Writes docs/settings.md from the code: `python -m docs.settings`. A test compares the two."""

from pathlib import Path

from pydantic import BaseModel

from nightschool.config import RULES, NotReadBy, sections

_HEAD = """# Settings

Every setting has a default that is the tested recipe. Later sources win: `$NIGHTSCHOOL_HOME/config.toml`
(`[learn.rlvr]`, `group_size = 8`), the environment (`NIGHTSCHOOL_LEARN__RLVR__GROUP_SIZE=8`), the command
line (`nightschool dream --learn.rlvr.group_size 8`). An unknown key is an error, and so is one that the
chosen `learn.rule` does not read. `NIGHTSCHOOL_HOME` (default `~/.nightschool`) is where everything is kept.
"""


def page() -> str:
    """The whole page."""
    out = [_HEAD]
    for name, section in sections():
        level, doc = "##" + "#" * name.count("."), " ".join((section.__doc__ or "").split())
        out.append(f"\n{level} {name}\n\n{doc}\n")
        rows = [(k, f) for k, f in section.model_fields.items() if not isinstance(f.default, BaseModel)]
        if rows:
            out.append("\n| setting | default | |\n|---|---|---|\n")
        for key, field in rows:
            text = " ".join((field.description or "").split())
            text += "".join(_unread(mark) for mark in field.metadata if isinstance(mark, NotReadBy))
            default = "empty" if field.default == "" else f"`{field.default}`"
            out.append(f"| `{name}.{key}` | {default} | {text} |\n")
    return "".join(out)


def _unread(mark: NotReadBy) -> str:
    """Which rules a setting has no effect under."""
    if {*RULES} <= {*mark.rules}:
        return " Read by `auto` only."
    return f" Not read by {', '.join(f'`{rule}`' for rule in mark.rules)}."


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page())
