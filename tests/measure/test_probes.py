"""Which probes a version answers right."""

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
    assert Probe.from_json(probes[0].to_json()) == probes[0]
