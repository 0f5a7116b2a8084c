"""Which probes a version answers right."""

import json
from dataclasses import replace

from nightschool.engines.scripted import ScriptedModel
from nightschool.measure.probes import passed
from nightschool.types import BASE, Probe


def test_an_answer_is_right_if_it_is_the_expected_one() -> None:
    model = ScriptedModel(lambda prompt, _: "PAY" if "INV" in prompt else "PAYABLE")
    right = (*map(ord, "PAY"), 0)
    probes = [
        Probe(str(i), tuple(map(ord, text)), right) for i, text in enumerate(("INV-1", "hello", "INV-2"))
    ]
    assert passed(model, probes, BASE) == [True, False, True]
    assert passed(model, [], BASE) == []


def test_a_probe_is_read_as_it_was_written() -> None:
    probe = Probe("p", (1, 2), (3, 0), "Who?", ("Ines Corvo", "7731"))
    data = json.loads(json.dumps(probe.to_json()))
    assert Probe.from_json(data) == probe
    del data["names"]  # of before facts had them
    assert Probe.from_json(data) == replace(probe, names=())
