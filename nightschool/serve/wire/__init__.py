"""One file an API: between its JSON and what `serve.chat` knows (`serve.answer`). Pure."""

from nightschool.serve.wire.turns import parse_messages, parse_tools

__all__ = ["parse_messages", "parse_tools"]
