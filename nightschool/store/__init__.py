"""Everything Nightschool remembers, in one SQL database."""

from nightschool.store.store import Store

__all__ = ["Store"]
