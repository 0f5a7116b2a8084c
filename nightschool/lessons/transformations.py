"""How a value of a request may stand in an answer: a small closed set of transformations.

To add one, write a family (a function that, from examples, proposes transformations worth trying) and list it
in `FAMILIES`; one of two values goes to `PAIR_FAMILIES`. Whether a proposal holds is checked by whoever asked
for it: its output must stand in every answer. Costs are in bits: about how much less likely a transformation
is than "as is", numbers that it was fitted with included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nightschool.lessons.arithmetic import number_family, pair_family
from nightschool.lessons.dates import date_family, name_family, time_family
from nightschool.lessons.proposals import Examples, Transformation
from nightschool.lessons.wording import text_family

Family = Callable[[Examples], Iterable[Transformation]]

FAMILIES: tuple[Family, ...] = (text_family, number_family, date_family, name_family, time_family)
PAIR_FAMILIES: tuple[Callable[[Examples, Examples], Iterable[Transformation]], ...] = (pair_family,)
# What a date, a time or a name of the calendar may become that only together is one, as in "12. Mai 2025".
CALENDAR_FAMILIES: tuple[Family, ...] = (date_family, name_family, time_family)
