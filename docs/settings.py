"""Writes docs/settings.md from the code: `python -m docs.settings`. A test compares the two."""

from pathlib import Path

from nightschool.config import Config

_HEAD = """# Settings

Every setting has a default that is the tested recipe. Later sources win: `$NIGHTSCHOOL_HOME/config.toml`
(`[learn]`, `lr = 1e-4`), the environment (`NIGHTSCHOOL_LEARN__LR=1e-4`), the command line
(`nightschool dream --learn.lr 1e-4`). An unknown key is an error. `NIGHTSCHOOL_HOME` (default
`~/.nightschool`) is where everything is kept.
"""


def page() -> str:
    """The whole page."""
    out = [_HEAD]
    for name, section in Config.model_fields.items():
        kind = section.annotation
        assert kind is not None
        out.append(f"\n## {name}\n\n{kind.__doc__}\n\n| setting | default | |\n|---|---|---|\n")
        for key, field in kind.model_fields.items():
            text = " ".join((field.description or "").split())
            out.append(f"| `{name}.{key}` | `{field.default}` | {text} |\n")
    return "".join(out)


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page())
