"""The short decoder, and the generic one, against transformers' own forward on tiny random models."""

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from nightschool.engines.base import GenerateRequest, Sampling
from nightschool.models.decoder import Decoder
from nightschool.models.generic import Generic
from nightschool.models.hf import HFModel
from tests.conftest import tiny_tokenizer
from tests.models.test_hf import PAIRS, TOLERANCE, plain_logps, randomised, tokens

SIZES = {
    "vocab_size": 258,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "eos_token_id": 1,
    "pad_token_id": 1,
    "bos_token_id": None,
    "initializer_range": 0.3,
}


def net(kind: str, **changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    config = CONFIG_MAPPING[kind](**(SIZES | changes))
    made = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    for (
        name,
        parameter,
    ) in made.named_parameters():  # biases and norms that start at 0 and 1 would hide mistakes
        if name.endswith("bias") or "norm" in name:
            parameter.data += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.3
    return made


KINDS = [
    ("llama", {}, Decoder),
    ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}}, Decoder),
    ("llama", {"tie_word_embeddings": True, "attention_bias": True}, Decoder),
    ("mistral", {"sliding_window": None}, Decoder),
    ("qwen2", {}, Decoder),
    ("qwen3", {"head_dim": 16}, Decoder),
    ("granite", {"attention_multiplier": 0.5}, Generic),
    ("olmo2", {}, Generic),
    ("stablelm", {}, Generic),
]


@pytest.mark.parametrize(("kind", "changes", "body"), KINDS)
def test_equals_transformers(kind: str, changes: dict[str, object], body: type) -> None:
    oracle = net(kind, **changes)
    model = HFModel(net(kind, **changes), tiny_tokenizer(), kind)
    assert isinstance(model.runner.body, body)
    for (prompt, answer), found in zip(PAIRS, model.score(PAIRS), strict=True):
        assert found == pytest.approx(plain_logps(oracle, prompt, answer), abs=TOLERANCE)
    session = tokens(9, 33)
    for (prompt, answer), found in zip(PAIRS, model.score(PAIRS, prefix=model.prefix(session)), strict=True):
        assert found == pytest.approx(plain_logps(oracle, session + prompt, answer), abs=TOLERANCE)
    (generation,) = model.generate(
        [GenerateRequest(tuple(tokens(3, 9)), Sampling(6, temperature=1.0, seed=1))]
    )
    assert generation.logprobs == pytest.approx(
        plain_logps(oracle, tokens(3, 9), generation.tokens), abs=TOLERANCE
    )


def test_both_run_the_same_adapter() -> None:
    short, long = (HFModel(net("llama"), tiny_tokenizer(), "llama") for _ in range(2))
    long.runner.body = Generic(long.runner.net)
    short.publish("a@1", randomised(short))
    state = short.adapter("a@1").state()  # type: ignore[union-attr]
    other = long.fresh_adapter(4, 0)
    for name, (a, b) in other.masters.items():
        a.copy_(state[f"base_model.model.{name}.lora_A.weight"])
        b.copy_(state[f"base_model.model.{name}.lora_B.weight"])
    other.refresh()
    long.publish("a@1", other)
    for ours, theirs in zip(short.score(PAIRS, "a@1"), long.score(PAIRS, "a@1"), strict=True):
        assert ours == pytest.approx(theirs, abs=TOLERANCE)
    requests = [GenerateRequest(tuple(p), Sampling(8), "a@1") for p, _ in PAIRS]
    assert [g.tokens for g in short.generate(requests)] == [g.tokens for g in long.generate(requests)]


def test_bfloat16_on_packed_weights_stays_close() -> None:
    """What a CPU serves: rounding, and nothing worse."""
    model = HFModel(net("llama").to(torch.bfloat16), tiny_tokenizer(), "llama")
    model.publish("a@1", randomised(model))
    prompt = tokens(3, 9)
    (generation,) = model.generate(
        [GenerateRequest(tuple(prompt), Sampling(6, temperature=1.0, seed=1), "a@1")]
    )
    (scored,) = model.score([(prompt, generation.tokens)], "a@1")  # in one forward, on plain weights
    assert generation.logprobs == pytest.approx(scored, abs=0.3)


def test_within_its_sliding_window_a_model_attends_like_any_other() -> None:
    assert HFModel(net("mistral", sliding_window=64), tiny_tokenizer(), "m").context_length == 64
    assert (
        HFModel(
            net("qwen2", sliding_window=64, use_sliding_window=False), tiny_tokenizer(), "q"
        ).context_length
        == 512
    )
