"""What tests of several rooms share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, LlamaForCausalLM

from nightschool.models import lora
from nightschool.models.hf import HFModel
from nightschool.store import Store
from nightschool.types import Feedback, Message, Verdict, Version
from nightschool.versions import files
from tests.conftest import tiny_net

# A dream on the tiny model that learns one letter by heart: its teacher is random and knows nothing.
QUICK = {
    "learn.rule": "sft",
    "learn.lr": "0.04",
    "learn.rank": "4",
    "learn.steps": "32",
    "learn.batch_size": "4",
    "learn.max_new_tokens": "2",
    "learn.anchors": "1",
    "learn.anchor_weight": "0.3",
    "learn.variations": "24",
    "learn.held_back": "24",
    "learn.self_asked": "0",
    "learn.round_steps": "2",
    "gate.kl_budget": "100",
}
# Requests with letters for answers that the random teacher is surer of than the student: so many that, each
# asked behind the others, there are enough checks for the gate.
SUM = tuple(
    t for n in ("12 and 45", "7 and 30", "500 and 6", "33 and 81") for t in (f"How many are {n}?", "n")
)
TOTAL = tuple(
    t for n in ("300 and 20", "9 and 14", "62 and 5", "70 and 1") for t in (f"What is the total of {n}?", "e")
)
SCORE = -1.0  # nats: what the scripted model thinks of every token


def like(store: Store, name: str, *texts: str) -> None:
    """A liked session."""
    store.sessions.add(name, user=None, messages=turns(*texts), tools=())
    store.feedback.rate(Feedback(f"f_{name}", name, "good"))


def turns(*texts: str) -> list[Message]:
    """Alternating user and assistant turns."""
    return [Message("assistant" if i % 2 else "user", text) for i, text in enumerate(texts)]


def promote(store: Store, name: str, parent: str, path: Path, sessions: Sequence[str] = ("s",)) -> None:
    """As a dream does that learned `sessions`."""
    dream = f"d_{name}"
    store.dreams.start(dream, sessions=sessions, parent=parent, config={}, pid=1)
    store.versions.promote(dream, Version(name, parent, str(path), tuple(sessions)), Verdict(True, ()))


def attested(score: float = SCORE) -> dict[str, Any]:
    """What a version of the scripted model attests."""
    return {"tolerance": 0.1, "cases": [{"prompt": [65], "tokens": [66, 0], "logprobs": [score, score]}]}


def scripted_version(home: Path, name: str, attest: dict[str, Any] | None) -> Path:
    """The directory of a version that a scripted model can load, written as a night writes it."""

    def fill(directory: Path) -> None:
        if attest is not None:
            files.write_json(directory / files.ATTEST, attest)

    return files.write(home, name, fill, {})


# Random models, and the same computed plainly.

TOLERANCE = 1e-4  # nats, float32


def tokens(seed: int, length: int) -> list[int]:
    """Random tokens of the tiny model; none of them is special."""
    drawn = torch.randint(2, 258, (length,), generator=torch.Generator().manual_seed(seed))
    return [int(token) for token in drawn]


PAIRS = [(tokens(1, 7), [*tokens(2, 5), 1]), (tokens(3, 12), [*tokens(4, 3), 1]), (tokens(5, 4), [1])]


def oracle() -> LlamaForCausalLM:
    """The tiny model's weights, nothing of ours installed."""
    net = tiny_net()
    net.config._attn_implementation = "eager"
    return net.eval()


@torch.no_grad()
def plain_logps(net: nn.Module, prompt: list[int], answer: list[int]) -> list[float]:
    """The log-probabilities of an answer's tokens by one whole forward."""
    logits = net(torch.tensor([[*prompt, *answer]])).logits[0]
    logp = logits.log_softmax(-1)
    return [logp[len(prompt) - 1 + i, token].item() for i, token in enumerate(answer)]


def random_net(kind: str, **changes: object) -> nn.Module:
    """Two random layers of a kind that transformers knows."""
    torch.manual_seed(0)
    sizes: dict[str, object] = {
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
    config = CONFIG_MAPPING[kind](**(sizes | changes))
    made: nn.Module = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    for name, parameter in made.named_parameters():
        if name.endswith("bias") or "norm" in name:  # those that start at 0 and 1 would hide mistakes
            parameter.data += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.3
    return made


def randomised(model: HFModel, seed: int = 7) -> lora.Adapter:
    """An adapter that changes something."""
    adapter = model.fresh_adapter(4, seed)
    rng = torch.Generator().manual_seed(seed)
    for _, b in adapter.masters.values():
        b.copy_(torch.randn(b.shape, generator=rng) * 0.1)
    adapter.refresh()
    return adapter
