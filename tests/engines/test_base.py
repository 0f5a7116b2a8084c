"""Asking an engine."""

from nightschool.engines.base import answers, respond
from nightschool.engines.scripted import ScriptedModel
from nightschool.types import BASE


def test_the_double_stops_and_begins_as_scripted() -> None:
    model = ScriptedModel(lambda prompt, _: "one\ntwo")
    newline = ord("\n")
    (found,) = respond(model, [[1]], BASE, 99, stop=(newline,))
    assert (model.decode(found.tokens), found.finish) == ("one\n", "stop")
    assert model.likeliest([[1]], 2) == [[(ord("o"), -1.0)]]


def test_the_prefix_stands_before_every_prompt() -> None:
    model = ScriptedModel(lambda prompt, _: prompt)
    prefix = model.prefix(list(map(ord, "session ")))
    assert answers(model, [list(map(ord, "a")), list(map(ord, "b"))], BASE, 99, prefix) == [
        "session a",
        "session b",
    ]
