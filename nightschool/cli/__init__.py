"""The command line: one file a group of commands, and what they show in the terminal.

Thin: every command opens what it needs, calls one function and prints the result. Nothing imports torch
before a command that needs it runs.
"""

from nightschool.cli.main import main

__all__ = ["main"]
