"""Adapters on disk, against PEFT."""

from pathlib import Path

import pytest
from peft import PeftModel

from nightschool.errors import VersionError
from nightschool.models import lora
from nightschool.models.hf import HFModel
from tests.helpers import PAIRS, TOLERANCE, oracle, plain_logps, randomised


def test_an_adapter_on_disk_is_what_peft_reads(tiny: HFModel, tmp_path: Path) -> None:
    adapter = randomised(tiny)
    tiny.publish("a@1", adapter)
    lora.save(adapter, tmp_path, "tiny")
    peft = PeftModel.from_pretrained(oracle(), tmp_path).eval()
    tiny.load("b@1", tmp_path)
    for (prompt, answer), ours, loaded in zip(
        PAIRS, tiny.score(PAIRS, "a@1"), tiny.score(PAIRS, "b@1"), strict=True
    ):
        assert ours == pytest.approx(plain_logps(peft, prompt, answer), abs=TOLERANCE)
        assert loaded == ours
        assert ours != pytest.approx(plain_logps(oracle(), prompt, answer), abs=0.01)


def test_saving_twice_gives_the_same_bytes(tiny: HFModel, tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        lora.save(randomised(tiny), tmp_path / name, "tiny")
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "x" / file).read_bytes() == (tmp_path / "y" / file).read_bytes()


def test_a_damaged_adapter_is_one_clear_error(tiny: HFModel, tmp_path: Path) -> None:
    lora.save(randomised(tiny), tmp_path, "tiny")
    weights = tmp_path / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(VersionError, match="cannot be read"):
        tiny.load("a@1", tmp_path)
    with pytest.raises(VersionError, match="not loaded"):
        tiny.adapter("a@1")
