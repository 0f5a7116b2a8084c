"""The model room against plain transformers and PEFT on a tiny random model."""

from itertools import count
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import LlamaForCausalLM

from nightschool.errors import ContextTooLong, VersionError
from nightschool.models import lora
from nightschool.models.base import GenerateRequest, Sampling, generate
from nightschool.models.cache import Cache, Kept, length
from nightschool.models.decode import RowBatch
from nightschool.models.hf import HFModel
from nightschool.types import Message
from tests.conftest import tiny_net

TOLERANCE = 1e-4  # nats, float32


def oracle() -> LlamaForCausalLM:
    """The same weights, nothing of ours installed."""
    net = tiny_net()
    net.config._attn_implementation = "eager"
    return net.eval()


@torch.no_grad()
def plain_logps(net: torch.nn.Module, prompt: list[int], answer: list[int]) -> list[float]:
    logits = net(torch.tensor([[*prompt, *answer]])).logits[0]
    logp = logits.log_softmax(-1)
    return [logp[len(prompt) - 1 + i, token].item() for i, token in enumerate(answer)]


def tokens(seed: int, length: int) -> list[int]:
    return torch.randint(2, 258, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


PAIRS = [(tokens(1, 7), [*tokens(2, 5), 1]), (tokens(3, 12), [*tokens(4, 3), 1]), (tokens(5, 4), [1])]


def randomised(model: HFModel, seed: int = 7) -> lora.Adapter:
    """An adapter that changes something."""
    adapter = model.fresh_adapter(4, seed)
    rng = torch.Generator().manual_seed(seed)
    for _, b in adapter.masters.values():
        b.copy_(torch.randn(b.shape, generator=rng) * 0.1)
    adapter.refresh()
    return adapter


def test_score_equals_the_full_forward_with_padding_and_eos(tiny: HFModel) -> None:
    for (prompt, answer), found in zip(PAIRS, tiny.score(PAIRS), strict=True):
        assert found == pytest.approx(plain_logps(oracle(), prompt, answer), abs=TOLERANCE)


def test_score_behind_a_prefix_equals_the_full_forward(tiny: HFModel) -> None:
    session = tokens(9, 33)
    prefix = tiny.prefix(session)
    for _ in range(2):  # the prefix is not used up
        for (prompt, answer), found in zip(PAIRS, tiny.score(PAIRS, prefix=prefix), strict=True):
            assert found == pytest.approx(plain_logps(oracle(), session + prompt, answer), abs=TOLERANCE)
    assert prefix.length == 33


def test_greedy_decoding_of_a_batch_equals_one_at_a_time(tiny: HFModel) -> None:
    prompts = [tokens(i, 3 + i) for i in range(6)]
    together = generate(tiny, [GenerateRequest(tuple(p), Sampling(12)) for p in prompts], at_once=4)
    for prompt, answer in zip(prompts, together, strict=True):
        row = list(prompt)
        for token in answer.tokens:
            assert oracle()(torch.tensor([row])).logits[0, -1].argmax().item() == token
            row.append(token)
        assert answer.logprobs == pytest.approx(plain_logps(oracle(), prompt, answer.tokens), abs=TOLERANCE)


def test_decoding_behind_a_prefix(tiny: HFModel) -> None:
    session, prompts = tokens(9, 20), [tokens(1, 5), tokens(2, 8)]
    whole = [GenerateRequest((*session, *p), Sampling(8)) for p in prompts]
    prefix = tiny.prefix(session)
    behind = [GenerateRequest(tuple(p), Sampling(8)) for p in prompts]
    assert [g.tokens for g in generate(tiny, behind, prefix=prefix)] == [
        g.tokens for g in generate(tiny, whole)
    ]


def test_rows_join_and_leave_between_steps(tiny: HFModel) -> None:
    alone = generate(tiny, [GenerateRequest(tuple(tokens(2, 6)), Sampling(5))])[0].tokens
    batch = tiny.batch()
    first, second = batch.add([GenerateRequest(tuple(tokens(i, 4)), Sampling(50)) for i in (0, 1)])
    batch.step()
    (third,) = batch.add([GenerateRequest(tuple(tokens(2, 6)), Sampling(5))])
    said = [t.token for t in batch.step() if t.row == third]
    batch.cancel(first)
    while len(said) < len(alone):
        said += [t.token for t in batch.step() if t.row == third]
    assert said == alone
    assert second != third


def run_through(batch: RowBatch, requests: list[GenerateRequest]) -> tuple[list[list[int]], list[int]]:
    """The rows' answers, and in which step each got its first token."""
    rows = batch.add(requests)
    said: dict[int, list[int]] = {row: [] for row in rows}
    first: dict[int, int] = {}
    for step in count():
        for token in batch.step():
            first.setdefault(token.row, step)
            said[token.row].append(token.token)
        if not len(batch):
            return [said[row] for row in rows], [first[row] for row in rows]
    raise AssertionError


def greedy(*prompts: list[int], version: str = "base") -> list[GenerateRequest]:
    return [GenerateRequest(tuple(p), Sampling(6), version) for p in prompts]


def test_a_long_prompt_is_read_in_parts_and_holds_nobody_up(tiny: HFModel) -> None:
    requests = greedy(tokens(1, 100), tokens(2, 6), tokens(3, 20))
    whole = [g.tokens for g in generate(tiny, requests)]
    said, first = run_through(tiny.batch(read_tokens=16), requests)
    assert said == whole
    assert first == [8, 0, 3]  # 8 tokens a step while others wait, then 16


def test_the_next_turn_reads_only_what_is_new(tiny: HFModel, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.put("a@1", randomised(tiny, 7))
    chat, more = tokens(1, 40), tokens(2, 9)
    (answer,) = generate(tiny, greedy(chat))
    turns = greedy([*chat, *answer.tokens, *more])
    expected = [g.tokens for g in generate(tiny, turns)]
    batch = tiny.batch(kept_tokens=200)
    run_through(batch, greedy(chat))
    run_through(batch, greedy(tokens(9, 30)))  # somebody else
    read: list[int] = []
    inner = tiny.read

    def watched(prompts: list[list[int]], *rest: object) -> object:
        read.extend(len(p) for p in prompts)
        return inner(prompts, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(tiny, "read", watched)
    assert run_through(batch, turns)[0] == expected
    assert read == [10]  # the answer's last token, which was sampled but never read, and what is new
    assert run_through(batch, greedy(chat, version="a@1"))[0] == [
        g.tokens for g in generate(tiny, greedy(chat, version="a@1"))
    ]  # another version's are not used
    assert read[1] == 40


def test_kept_ones_are_bounded_and_the_least_recently_used_goes_first() -> None:
    def cache(n: int) -> Cache:
        return [torch.arange(n).float().expand(2, 1, n).unsqueeze(-1)]

    kept = Kept(100)
    a, b, c = (tuple(range(start, start + 40)) for start in (0, 100, 200))
    kept.put("base", a, cache(40))
    kept.put("base", b, cache(40))
    assert length(kept.find("base", (*a[:20], 7, 8))) == 20
    kept.put("base", c, cache(40))  # b was not asked for
    assert kept.find("base", (*b, 1)) is None
    assert length(kept.find("base", a)) == 39
    kept.put("base", (*a, *range(50)), cache(90))  # takes a's place
    assert length(kept.find("base", (*a, 0, 1, 9))) == 42
    assert kept.find("base", (*c, 1)) is None
    assert kept.find("other@1", (*a, 0)) is None
    kept.put("base", tuple(range(101)), cache(101))  # larger than all there is
    assert length(kept.find("base", (*a, 0, 1, 9))) == 42


def test_seeded_sampling_does_not_depend_on_neighbours(tiny: HFModel) -> None:
    def request(seed: int) -> GenerateRequest:
        return GenerateRequest(tuple(tokens(3, 5)), Sampling(10, temperature=1.0, top_p=0.9, seed=seed))

    alone = generate(tiny, [request(5)])[0].tokens
    crowd = generate(tiny, [request(1), request(5), request(2)])
    assert crowd[1].tokens == alone
    assert crowd[0].tokens != alone


def test_versions_share_a_batch(tiny: HFModel) -> None:
    tiny.put("a@1", randomised(tiny, 7))
    tiny.put("b@1", randomised(tiny, 8))
    names = ["base", "a@1", "b@1", "a@1"]
    mixed = generate(tiny, [GenerateRequest(tuple(tokens(3, 5)), Sampling(6), n) for n in names])
    single = [generate(tiny, [GenerateRequest(tuple(tokens(3, 5)), Sampling(6), n)])[0].tokens for n in names]
    assert [g.tokens for g in mixed] == single
    assert len({tuple(s) for s in single}) == 3


def test_an_adapter_on_disk_is_what_peft_reads(tiny: HFModel, tmp_path: Path) -> None:
    tiny.put("a@1", randomised(tiny))
    lora.save(tiny.adapter("a@1"), tmp_path, "tiny")  # type: ignore[arg-type]
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


def test_a_request_longer_than_the_window_is_refused(tiny: HFModel) -> None:
    with pytest.raises(ContextTooLong, match="do not fit"):
        tiny.batch().add([GenerateRequest(tuple(tokens(0, 512)), Sampling(1))])
    answer = generate(tiny, [GenerateRequest(tuple(tokens(0, 505)), Sampling(100))])[0]
    assert len(answer.tokens) <= 7


def test_chat_template_and_answers(tiny: HFModel) -> None:
    ids = tiny.encode([Message("user", "hi")])
    assert tiny.tokenizer.decode(ids) == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert tiny.decode(tiny.encode_answer("yes")) == "yes"
    assert tiny.encode_answer("yes")[-1] == tiny.eos[0]
