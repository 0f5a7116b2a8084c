"""Fixtures that several rooms share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from nightschool.models.hf import HFModel
from nightschool.store import Store

settings.register_profile("here", deadline=None)  # a timing is a benchmark, never an assertion
settings.load_profile("here")

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a home of its own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(folder))
    return folder


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    opened = Store.open(home)
    yield opened
    opened.close()


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes as tokens, and ChatML's two marks."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {c: i for i, c in enumerate(["<|im_start|>", "<|im_end|>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", additional_special_tokens=["<|im_start|>"]
    )
    fast.chat_template = TEMPLATE
    return fast


def tiny_net(seed: int = 0, dtype: torch.dtype = torch.float32) -> LlamaForCausalLM:
    """Two random layers with grouped queries."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=512,
        eos_token_id=1,
        pad_token_id=1,
        bos_token_id=None,
        initializer_range=0.3,
    )
    return LlamaForCausalLM(config).to(dtype)


@pytest.fixture
def tiny() -> HFModel:
    """A tiny random model in float32, so that equal means equal."""
    return HFModel(tiny_net(), tiny_tokenizer(), "tiny")


@pytest.fixture
def roomy() -> HFModel:
    """A tiny random model with room for whole sessions: bytes are many tokens."""
    net = tiny_net()
    net.config.max_position_embeddings = 8192
    return HFModel(net, tiny_tokenizer(), "tiny")


@pytest.fixture(scope="session")
def tiny_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model on disk, as `--model.id` takes it."""
    folder = tmp_path_factory.mktemp("tiny-model")
    tiny_net().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder
