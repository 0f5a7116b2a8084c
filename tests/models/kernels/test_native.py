"""The compiled operations against the plain ones, which the other tests hold to transformers'."""

import platform
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention, silu

from nightschool.engines.base import GenerateRequest, Sampling
from nightschool.models.hf import HFModel
from nightschool.models.kernels import native
from tests.conftest import tiny_tokenizer
from tests.helpers import random_net, randomised, tokens

sizes = st.integers(1, 70)


@pytest.fixture(autouse=True)
def compiled() -> Iterator[None]:
    if native.library() is None:
        pytest.skip("no compiler here")
    with torch.no_grad():
        yield


def assert_close(found: Tensor, plain: Tensor) -> None:
    """Up to the rounding of bfloat16."""
    torch.testing.assert_close(found.float(), plain, rtol=2**-7, atol=1e-2)


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).bfloat16()


@given(sizes, sizes)
def test_norm(rows: int, width: int) -> None:
    x, weight = drawn(rows, width), drawn(width)
    plain = x.float() / (x.float().square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight.float()
    assert_close(native.rms_norm(x, weight, 1e-5), plain)


@given(sizes, sizes)
def test_gated(rows: int, width: int) -> None:
    x = 4 * drawn(rows, 2 * width)
    plain = silu(x[:, :width].float()) * x[:, width:].float()
    assert_close(native.gated_silu(x), plain)


@given(sizes, st.integers(1, 4), st.integers(1, 20))
def test_rotation_leaves_the_other_heads_alone(rows: int, heads: int, half: int) -> None:
    x, cos, sin = drawn(rows, heads + 2, 2 * half), drawn(rows, 1, 2 * half), drawn(rows + 1, 1, 2 * half)[1:]
    part, before = x[:, :heads], x.clone()
    plain = part.float() * cos.float() + part.float().roll(half, -1) * sin.float()
    native.rotate(part, cos, sin)
    assert_close(part, plain)
    assert torch.equal(x[:, heads:], before[:, heads:])


@given(st.integers(1, 20), st.integers(1, 150), sizes)
def test_product(rows: int, half: int, width: int) -> None:
    x, weight = drawn(rows, 2 * half), drawn(width, 2 * half)
    plain = x.float() @ weight.float().T
    found = native.product(x, native.packed(weight), width)
    assert_close(found, plain)


@given(sizes, sizes)
def test_argmax_logsumexp(rows: int, width: int) -> None:
    x = 4 * drawn(rows, width)
    tokens, total = native.argmax_logsumexp(x)
    assert torch.equal(tokens, x.argmax(-1))
    torch.testing.assert_close(total, x.float().logsumexp(-1))


@given(st.sampled_from(native.WIDTHS), st.integers(1, 3), st.integers(1, 7), st.data())
def test_attention(width: int, groups: int, each: int, data: st.DataObject) -> None:
    at = torch.tensor(data.draw(st.lists(st.integers(0, 39), min_size=1, max_size=5)))
    rows = len(at)
    cache = drawn(rows + 1, 2 * groups, 40, width)
    q, k = drawn(rows, groups * (each + 1), width).split([groups * each, groups], 1)
    v = drawn(groups, rows, width).transpose(0, 1)  # as no decoder of ours hands it over, but another may
    wanted, plain = cache.clone(), []
    for row, end in enumerate(at.tolist()):
        wanted[row, :groups, end], wanted[row, groups:, end] = k[row], v[row]
        seen = wanted[row : row + 1, :, : end + 1].float()
        queries = q[row].float().view(1, groups, each, width)
        out = scaled_dot_product_attention(queries, seen[:, :groups], seen[:, groups:])
        plain.append(out.reshape(groups * each, width))
    assert_close(native.attend(q, k, v, cache, at), torch.stack(plain))
    assert torch.equal(cache, wanted)


def check_attend_prefix(w: int, groups: int, each: int, tokens: int, before: int) -> None:
    q = 3 * drawn(tokens, groups * each + 2, w)[:, 1:-1]  # some scores stand out
    past = drawn(2, groups, before + 1, w)[:, :, 1:]  # a part of what is kept
    keys, values = past.float().repeat_interleave(each, 1)
    score = q.float().transpose(0, 1) @ keys.transpose(1, 2) / w**0.5
    out, logs = native.attend_prefix(q, past)
    assert_close(out, (score.softmax(-1) @ values).transpose(0, 1))
    torch.testing.assert_close(logs, score.logsumexp(-1).T, rtol=1e-4, atol=1e-3)


few = st.integers(1, 5)
test_attention_to_a_prefix = given(
    st.sampled_from(native.WIDTHS), few, few, st.integers(1, 20), st.integers(1, 600)
)(check_attend_prefix)


@pytest.mark.parametrize("kind", ["llama", "qwen3", "olmo2"])
def test_a_model_thinks_the_same_without(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def made() -> HFModel:
        model = HFModel(random_net(kind, head_dim=64).to(torch.bfloat16), tiny_tokenizer(), kind)
        model.publish("a@1", randomised(model))
        return model

    asked = [(tuple(tokens(3 + i, 9 + i)), version) for i, version in enumerate(("base", "a@1", "base"))]
    requests = [GenerateRequest(p, Sampling(6, temperature=1.0, seed=1), version) for p, version in asked]
    generations = made().generate(requests)
    monkeypatch.setattr(native, "library", lambda: None)
    plain = made()
    for (prompt, version), generation in zip(asked, generations, strict=True):
        (scored,) = plain.score([(prompt, generation.tokens)], version)
        assert generation.logprobs == pytest.approx(scored, abs=0.3)


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the flags are x86's")
@pytest.mark.parametrize("without", ["-mno-avx512bf16", "-mno-avx512f"])
def test_other_processors(without: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(native, "_FLAGS", [*native._FLAGS, "-mno-avx512bf16", without])
    made = native.library.__wrapped__()
    assert made
    monkeypatch.setattr(native, "library", lambda: made)
    x, weight = drawn(11, 50), drawn(40, 50)
    found = native.product(x, native.packed(weight), 40)
    assert_close(found, x.float() @ weight.float().T)
    check_attend_prefix(64, 2, 3, 5, 300)
