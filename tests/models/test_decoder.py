"""The short decoder, and the generic one, against transformers' own forward on tiny random models."""

import pytest
import torch

from nightschool.engines.base import GenerateRequest, Sampling
from nightschool.models.decoder import Decoder
from nightschool.models.generic import Generic
from nightschool.models.hf import HFModel
from tests.conftest import tiny_tokenizer
from tests.helpers import PAIRS, TOLERANCE, plain_logps, random_net, randomised, tokens

KINDS: list[tuple[str, dict[str, object], type]] = [
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
    oracle = random_net(kind, **changes)
    model = HFModel(random_net(kind, **changes), tiny_tokenizer(), kind)
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
    short, long = (HFModel(random_net("llama"), tiny_tokenizer(), "llama") for _ in range(2))
    long.runner.body = Generic(long.runner.net)
    adapter = randomised(short)
    short.publish("a@1", adapter)
    state = adapter.state()
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
    model = HFModel(random_net("llama").to(torch.bfloat16), tiny_tokenizer(), "llama")
    model.publish("a@1", randomised(model))
    prompt = tokens(3, 9)
    (generation,) = model.generate(
        [GenerateRequest(tuple(prompt), Sampling(6, temperature=1.0, seed=1), "a@1")]
    )
    (scored,) = model.score([(prompt, generation.tokens)], "a@1")  # in one forward, on plain weights
    assert generation.logprobs == pytest.approx(scored, abs=0.3)


def test_within_its_sliding_window_a_model_attends_like_any_other() -> None:
    assert HFModel(random_net("mistral", sliding_window=64), tiny_tokenizer(), "m").context_length == 64
    assert (
        HFModel(
            random_net("qwen2", sliding_window=64, use_sliding_window=False), tiny_tokenizer(), "q"
        ).context_length
        == 512
    )
