"""A version proves itself by what it wrote down, or is refused."""

import json
import math
from pathlib import Path

import pytest

from nightschool.engines.scripted import ScriptedModel
from nightschool.errors import VersionError
from nightschool.types import BASE
from nightschool.versions import attest, files

PAIRS = [((65,), (66, 0)), ((65, 66), (67, 68, 0))]


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(lambda *_: "")


@pytest.fixture
def written(model: ScriptedModel, tmp_path: Path) -> Path:
    attest.write(model, BASE, PAIRS, tmp_path)
    return tmp_path


def test_what_was_written_is_every_token_of_every_answer(written: Path) -> None:
    record = json.loads((written / files.ATTEST).read_text())
    assert record["tolerance"] == attest.TOLERANCE
    assert [(case["prompt"], case["tokens"]) for case in record["cases"]] == [
        ([65], [66, 0]),
        ([65, 66], [67, 68, 0]),
    ]
    assert [case["logprobs"] for case in record["cases"]] == [[-1.0] * 2, [-1.0] * 3]


@pytest.mark.parametrize(("off", "accepted"), [(0.0, True), (0.09, True), (-0.09, True), (0.11, False)])
def test_the_difference_is_held_to_the_tolerance(
    model: ScriptedModel, written: Path, off: float, accepted: bool
) -> None:
    model.bias[BASE] = off
    if accepted:
        attest.check(model, BASE, written)
    else:
        with pytest.raises(VersionError, match=r"differ by 0\.110 nats per token \(tolerance 0\.1\)"):
            attest.check(model, BASE, written)


def test_weights_that_answer_nan_are_refused(model: ScriptedModel, written: Path) -> None:
    model.bias[BASE] = math.nan
    with pytest.raises(VersionError, match="does not answer as it was trained to"):
        attest.check(model, BASE, written)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"tolerance": 0.1}', "cannot be read"),
        ('{"tolerance": 0.1, "cases": [{"prompt": [65], "tokens": [66]}]}', "cannot be read"),
        ('{"tolerance": 0.1, "cases": []}', "holds nothing to compare"),
        (
            '{"tolerance": 0.1, "cases": [{"prompt": [65], "tokens": [66, 0], "logprobs": [-1]}]}',
            "is damaged",
        ),
    ],
)
def test_an_attestation_that_says_nothing_is_refused(
    model: ScriptedModel, tmp_path: Path, content: str | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / files.ATTEST).write_text(content)
    with pytest.raises(VersionError, match=f"{files.ATTEST} {reason}"):
        attest.check(model, BASE, tmp_path)
