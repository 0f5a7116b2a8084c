"""Unrelated requests, some for training and some for the gate."""

from nightschool.engines.scripted import ScriptedModel
from nightschool.lessons.anchors import encoded, practice_anchors, probe_anchors


def test_they_are_many_distinct_and_split() -> None:
    practised, probes = practice_anchors(), probe_anchors()
    assert len({*practised, *probes}) == len(practised) + len(probes) == 200
    assert len(probes) == 40


def test_each_is_the_prompt_of_a_conversation_of_its_own() -> None:
    model = ScriptedModel(lambda prompt, version: "x")
    assert [model.decode(p) for p in encoded(model, ["one", "two"])] == [
        "user: one\nassistant: ",
        "user: two\nassistant: ",
    ]
