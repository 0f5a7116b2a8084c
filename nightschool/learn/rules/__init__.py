"""The learning rules: what a step makes of the student's answers.

Each is one file, which the settings call by its name (`trd_rewrite.py` is `learn.rule = trd-rewrite`); a file
that begins with an underscore is shared by several. docs/adding-a-rule.md adds one.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from nightschool.learn.rule import Rule, RuleContext
from nightschool.learn.rules._phases import Phases


def make(name: str, context: RuleContext) -> Rule:
    """The rule that `learn.rule` names; of `first+then`, the first one for two thirds of the steps."""
    first, _, then = name.partition("+")
    if then:
        return Phases(make(first, context), make(then, context), context.config.steps * 2 // 3)
    return _rule(first)(context)


def _rule(name: str) -> Callable[[RuleContext], Rule]:
    made: Callable[[RuleContext], Rule] = import_module(f"{__name__}.{name.replace('-', '_')}").RULE
    return made
