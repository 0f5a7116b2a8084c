"""The gradient of a step against autograd through transformers' own forward, logits and plain KL."""

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from nightschool.learn.losses import forward_kl, reverse_kl
from nightschool.learn.objectives import Distil, accumulate
from nightschool.models import decoder
from nightschool.models.hf import HFModel
from nightschool.models.lora import Adapter
from tests.helpers import PAIRS, oracle, randomised

ANCHORS = [(PAIRS[1][1], PAIRS[0][0])]  # any other tokens will do


def teacher_hidden(model: HFModel, pairs: list[tuple[list[int], list[int]]]) -> Tensor:
    return torch.cat(model.runner.hidden(pairs, randomised(model, 3)))


def gradient_of(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def plain_gradients(model: HFModel, adapter: Adapter, weight: float) -> tuple[dict[str, Tensor], float]:
    """Gradients by PEFT's names and the practice loss: one row at a time, W + BA merged by hand, the prompts'
    keys and values detached by hooks, whole logits, formulas out of the book."""
    net = oracle()
    low_rank = {n: t.clone().requires_grad_() for n, t in adapter.state().items()}
    parameters = dict(net.named_parameters())
    for name in {n.rsplit(".lora_", 1)[0] for n in low_rank}:
        a, b = low_rank[f"{name}.lora_A.weight"], low_rank[f"{name}.lora_B.weight"]
        layer = name.removeprefix("base_model.model.") + ".weight"
        parameters[layer] = parameters[layer] + b @ a
    read = 0

    def detach_prompt(_: object, __: object, out: Tensor) -> Tensor:
        return torch.cat([out[:, :read].detach(), out[:, read:]], 1)

    for name, module in net.named_modules():
        if name.endswith(("k_proj", "v_proj")):
            module.register_forward_hook(detach_prompt)
    means = []
    for pairs, kl in ((PAIRS, "forward"), (ANCHORS, "reverse")):
        tokens = []
        teacher = model.logits(teacher_hidden(model, pairs)).float().log_softmax(-1)
        for prompt, answer in pairs:
            read = len(prompt) - 1
            logits = functional_call(net, parameters, (torch.tensor([[*prompt, *answer]]),)).logits[0]
            logq = logits[len(prompt) - 1 : -1].log_softmax(-1)
            logp, teacher = teacher[: len(answer)], teacher[len(answer) :]
            weights = logp.exp() if kl == "forward" else logq.exp()
            tokens.append((weights * (logp - logq if kl == "forward" else logq - logp)).sum(-1))
        means.append(torch.cat(tokens).mean())
    (means[0] + weight * means[1]).backward()
    return {n: t.grad for n, t in low_rank.items() if t.grad is not None}, means[0].item()


@pytest.mark.parametrize("kept", [1024, 0], ids=["few tokens", "many tokens"])
def test_loss_and_gradient_are_those_of_the_plain_loop(
    tiny: HFModel, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder, "_MAX_STORED_TOKENS", kept)
    adapter = randomised(tiny, 5)
    expected, mean = plain_gradients(tiny, adapter, weight=0.5)
    adapter.trainable(True)
    tiny.publish("student", adapter)
    practice = Distil(teacher_hidden(tiny, PAIRS), forward_kl)
    anchors = Distil(teacher_hidden(tiny, ANCHORS), reverse_kl, weight=0.5)
    losses, _ = accumulate(tiny, "student", [(PAIRS, practice), (ANCHORS, anchors)])
    assert len(losses) == sum(len(answer) for _, answer in PAIRS)  # every sampled token, EOS too
    assert losses.mean().item() == pytest.approx(mean, rel=1e-4)
    gradients = Adapter(
        adapter.groups,
        {n: (gradient_of(a), gradient_of(b)) for n, (a, b) in adapter.masters.items()},
        torch.float32,
    ).state()
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], atol=1e-4, rtol=1e-3)


def test_only_the_adapter_learns(tiny: HFModel) -> None:
    adapter = randomised(tiny)
    adapter.trainable(True)
    tiny.publish("student", adapter)
    accumulate(tiny, "student", [(PAIRS, Distil(teacher_hidden(tiny, PAIRS), forward_kl))])
    assert all(p.grad is None for p in tiny.runner.net.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in adapter.parameters())


def test_the_teacher_itself_has_nothing_to_learn(tiny: HFModel) -> None:
    adapter = randomised(tiny, 3)  # the teacher's own weights
    adapter.trainable(True)
    tiny.publish("student", adapter)
    (losses,) = accumulate(tiny, "student", [(PAIRS, Distil(teacher_hidden(tiny, PAIRS), forward_kl))])
    assert losses.abs().max().item() < 1e-5
    assert all(p.grad.abs().max() < 1e-4 for p in adapter.parameters())  # type: ignore[union-attr]
