"""Adapters on disk, against PEFT."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import save_file
from torch import Tensor

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


def changed(folder: Path, tensors: dict[str, Tensor], **config: object) -> Path:
    """The adapter on disk with other tensors and settings."""
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


def test_the_scaling_is_in_b_and_a_layer_left_out_gets_zeros(tiny: HFModel, tmp_path: Path) -> None:
    adapter = randomised(tiny)
    lora.save(adapter, tmp_path, "tiny")
    left_out = "model.layers.0.self_attn.k_proj"
    some = {name: t for name, t in adapter.state().items() if left_out not in name}
    tiny.load("a@1", changed(tmp_path, some, lora_alpha=8))  # of rank 4: twice as much
    found = tiny.adapter("a@1")
    assert found
    for name, tensor in found.state().items():
        if left_out in name:
            assert not tensor.any()
        else:
            torch.testing.assert_close(tensor, some[name] * (2 if "lora_B" in name else 1))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"use_dora": True}, "not a plain LoRA adapter"),
        ({"peft_type": "IA3"}, "not a plain LoRA adapter"),
        ({"r": 3}, "does not fit this model"),
    ],
)
def test_an_adapter_of_another_kind_is_refused(
    tiny: HFModel, tmp_path: Path, config: dict[str, object], reason: str
) -> None:
    adapter = randomised(tiny)
    lora.save(adapter, tmp_path, "tiny")
    with pytest.raises(VersionError, match=reason):
        tiny.load("a@1", changed(tmp_path, adapter.state(), **config))


def test_an_adapter_for_another_model_is_refused(tiny: HFModel, tmp_path: Path) -> None:
    lora.save(randomised(tiny), tmp_path, "tiny")
    state = randomised(tiny).state()
    for tensors, reason in (
        ({name.replace("layers.0", "layers.7"): t for name, t in state.items()}, "does not fit"),
        ({name: t for name, t in state.items() if "lora_B" not in name}, "does not fit"),
        ({"base_model.model.x": torch.zeros(1)}, "holds no LoRA weights"),
    ):
        with pytest.raises(VersionError, match=reason):
            tiny.load("a@1", changed(tmp_path, tensors))


def test_each_token_gets_its_own_adapters_product(tiny: HFModel) -> None:
    one, other = randomised(tiny, 1), randomised(tiny, 2)
    adapters = [one, None, other, one]
    spans = lora.by_token(adapters, tiny.device)
    for name, group in tiny.runner.groups.items():
        x, y = torch.randn(4, group.inputs), torch.randn(4, sum(group.outputs))
        expected = [
            y[i] if adapter is None else y[i] + adapter.delta(name, x[i : i + 1])[0]
            for i, adapter in enumerate(adapters)
        ]
        torch.testing.assert_close(lora.add(y, x, name, spans), torch.stack(expected))


def test_one_adapter_for_all_needs_no_index(tiny: HFModel) -> None:
    adapter = randomised(tiny)
    assert lora.by_token([adapter, adapter], tiny.device) == [(None, adapter)] == lora.all_tokens(adapter)
    assert lora.by_token([None, None], tiny.device) == [] == lora.all_tokens(None)


def test_a_fresh_adapter_changes_nothing(tiny: HFModel) -> None:
    tiny.publish("a@1", tiny.fresh_adapter(4, seed=3))
    assert tiny.score(PAIRS, "a@1") == tiny.score(PAIRS)


def test_approaching_another_adapter_leaves_copies_alone(tiny: HFModel) -> None:
    one, other = randomised(tiny, 1), randomised(tiny, 2)
    before = one.copy()
    one.approach(other, 0.25)
    for mine, old, its in zip(one.parameters(), before.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, 0.75 * old + 0.25 * its)
