"""Asking an engine."""

from nightschool.engines.base import answers
from nightschool.engines.scripted import ScriptedModel
from nightschool.types import BASE


def test_the_prefix_stands_before_every_prompt() -> None:
    model = ScriptedModel(lambda prompt, _: prompt)
    prefix = model.prefix(list(map(ord, "session ")))
    assert answers(model, [list(map(ord, "a")), list(map(ord, "b"))], BASE, 99, prefix) == [
        "session a",
        "session b",
    ]
