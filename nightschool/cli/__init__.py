"""The command line: one file for each group of commands, and what they show in the terminal.

Every command opens what it needs, calls one function and prints the result. torch is imported only when a
command that needs it runs.
"""

from nightschool.cli.main import main

__all__ = ["main"]
