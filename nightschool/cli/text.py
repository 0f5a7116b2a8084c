"""What people, models and clients wrote, shown in a terminal as it is: never obeyed, and never an error."""

from __future__ import annotations

import codecs
import io
import json
import re
import sys
from typing import Any

from rich.text import Text

# What a terminal obeys or cannot show: control characters but for line ends and tabs, separators of lines,
# marks that turn the direction of writing, halves of surrogate pairs.
_OBEYED = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def literal(text: str, style: str = "") -> Text:
    """Text for rich that is neither markup nor emoji codes; what a terminal would obey is written out
    (`\\x1b`). Whatever this program did not write itself goes through here."""
    return Text(_OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode(), text), style)


def as_json(data: Any) -> str:
    """Data as JSON that can be printed on standard output."""
    plain = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    text = json.dumps(data, indent=2, ensure_ascii=not plain)
    return _OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def survive_any_encoding() -> None:
    """Let standard output and error write out what their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
