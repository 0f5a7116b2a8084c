"""Models that run by transformers' own forward. That they give its numbers is tested with the decoder's."""

import pytest
import torch

from nightschool.errors import ModelError
from nightschool.models import lora
from nightschool.models.generic import Generic, LoraLinear
from nightschool.models.hf import HFModel
from tests.conftest import tiny_tokenizer
from tests.helpers import PAIRS, random_net, randomised, tokens


def olmo() -> HFModel:
    return HFModel(random_net("olmo2"), tiny_tokenizer(), "olmo2")


def test_adapters_reach_every_linear_layer_but_the_head() -> None:
    groups = olmo().runner.groups
    assert len(groups) == 2 * 7
    assert all([name] == [part for part, _ in group.parts] for name, group in groups.items())
    assert not any("lm_head" in name for name in groups)


def test_a_wrapped_layer_adds_the_adapter_of_the_running_forward() -> None:
    model = olmo()
    body, adapter = model.runner.body, randomised(model)
    assert isinstance(body, Generic)
    name = next(iter(body.groups))
    layer = model.runner.net.get_submodule(name)
    assert isinstance(layer, LoraLinear)
    x = torch.randn(2, 3, layer.weight.shape[1])
    with torch.no_grad():
        plain = layer(x)
        body.spans = lora.all_tokens(adapter)
        (a, b) = adapter.masters[name]
        torch.testing.assert_close(layer(x), plain + x @ a.T @ b.T)


def test_models_that_run_in_turn_do_not_meet() -> None:
    one, other = olmo(), olmo()
    one.publish("a@1", randomised(one))
    alone = one.score(PAIRS, "a@1")
    prefix = other.prefix(tokens(9, 20))
    assert other.score(PAIRS, prefix=prefix) != other.score(PAIRS)
    assert one.score(PAIRS, "a@1") == alone


def test_attention_that_ours_does_not_compute_is_refused() -> None:
    net = random_net("gemma2", head_dim=16, attn_logit_softcapping=50.0)
    with pytest.raises(ModelError, match="soft caps"):
        HFModel(net, tiny_tokenizer(), "gemma2").score(PAIRS)
