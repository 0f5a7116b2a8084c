"""The server: OpenAI's chat completions, sessions, feedback, dreams and versions over HTTP. No torch."""

from nightschool.serve.app import create_app

__all__ = ["create_app"]
