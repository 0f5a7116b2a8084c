"""Session ids that clients choose: any text of 1 to 200 characters, in a header, a path or a file."""

from __future__ import annotations

import unicodedata

from nightschool.errors import BadRequest

_LONGEST = 200
_REFUSED = {"Cc", "Cs", "Zl", "Zp"}  # control characters, halves of surrogate pairs, line separators


def checked(session_id: str, param: str) -> str:
    """The id. Raises BadRequest, naming where it came from."""
    if not 0 < len(session_id) <= _LONGEST or _REFUSED & {*map(unicodedata.category, session_id)}:
        raise BadRequest(f"{param}: 1 to {_LONGEST} characters, none of them a control character", param)
    return session_id


def from_header(value: str) -> str:
    """The id in a header, which arrives as latin-1. Its bytes are UTF-8, unless they cannot be."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


def to_header(session_id: str) -> str:
    """The inverse of `from_header`."""
    return session_id.encode().decode("latin-1")
