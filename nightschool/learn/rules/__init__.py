"""The learning rules: what a step makes of the student's answers. A new one is one file, and a line here."""

from __future__ import annotations

from collections.abc import Callable

from nightschool.learn.rules.cd import CD
from nightschool.learn.rules.common import Rule, RuleContext
from nightschool.learn.rules.opsd import OPSD
from nightschool.learn.rules.phases import Phases
from nightschool.learn.rules.rlvr import RLVR
from nightschool.learn.rules.sft import SFT
from nightschool.learn.rules.trd import FromError, Rewrite

RULES: dict[str, Callable[[RuleContext], Rule]] = {
    "opsd": OPSD,
    "trd-rewrite": Rewrite,
    "trd-from-error": FromError,
    "cd": CD,
    "sft": SFT,
    "rlvr": RLVR,
    "opsd+rlvr": lambda teaching: Phases(OPSD(teaching), RLVR(teaching), teaching.config.steps * 2 // 3),
}
