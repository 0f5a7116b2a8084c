"""The server: chat completions, sessions, feedback, dreams and versions over HTTP. Imports no torch."""

from nightschool.serve.app import create_app

__all__ = ["create_app"]
