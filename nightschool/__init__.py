"""Nightschool: a self-hosted continual-learning runtime for open-weight LLM agents."""

__version__ = "0.1.0"
