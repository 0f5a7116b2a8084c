"""Decoding in a batch against one forward a token, on a tiny random model."""

from itertools import count
from typing import Any

import pytest
import torch

from nightschool.engines.base import GenerateRequest, Sampling
from nightschool.errors import ContextTooLong, VersionError
from nightschool.models.decode import RowBatch
from nightschool.models.hf import HFModel
from tests.helpers import TOLERANCE, oracle, plain_logps, randomised, tokens


def test_greedy_decoding_of_a_batch_equals_one_at_a_time(tiny: HFModel) -> None:
    prompts = [tokens(i, 3 + i) for i in range(6)]
    together = tiny.generate([GenerateRequest(tuple(p), Sampling(12)) for p in prompts], at_once=4)
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
    assert [g.tokens for g in tiny.generate(behind, prefix=prefix)] == [
        g.tokens for g in tiny.generate(whole)
    ]


def test_a_row_ends_at_a_token_to_stop_at(tiny: HFModel) -> None:
    prompt = tuple(tokens(1, 5))
    whole, other = tiny.generate([GenerateRequest(prompt, Sampling(8)) for _ in range(2)])
    stop = (whole.tokens[3],)
    first = whole.tokens.index(*stop)
    ended, whole = tiny.generate(
        [GenerateRequest(prompt, Sampling(8, stop=stop)), GenerateRequest(prompt, Sampling(8))]
    )
    assert (ended.tokens, ended.finish) == (whole.tokens[: first + 1], "stop")
    assert whole.tokens == other.tokens


def test_rows_join_and_leave_between_steps(tiny: HFModel) -> None:
    alone = tiny.generate([GenerateRequest(tuple(tokens(2, 6)), Sampling(5))])[0].tokens
    batch = tiny.batch()
    first, second = batch.add([GenerateRequest(tuple(tokens(i, 4)), Sampling(50)) for i in (0, 1)])
    batch.step()
    (third,) = batch.add([GenerateRequest(tuple(tokens(2, 6)), Sampling(5))])
    sampled = [t.token for t in batch.step() if t.row == third]
    batch.cancel(first)
    while len(sampled) < len(alone):
        sampled += [t.token for t in batch.step() if t.row == third]
    assert sampled == alone
    assert second != third


def run_through(batch: RowBatch, requests: list[GenerateRequest]) -> tuple[list[list[int]], list[int]]:
    """The rows' answers, and in which step each got its first token."""
    rows = batch.add(requests)
    sampled: dict[int, list[int]] = {row: [] for row in rows}
    first: dict[int, int] = {}
    for step in count():
        for token in batch.step():
            first.setdefault(token.row, step)
            sampled[token.row].append(token.token)
        if not len(batch):
            return [sampled[row] for row in rows], [first[row] for row in rows]
    raise AssertionError


def greedy(*prompts: list[int], version: str = "base") -> list[GenerateRequest]:
    return [GenerateRequest(tuple(p), Sampling(6), version) for p in prompts]


def test_a_long_prompt_is_prefilled_in_chunks_and_delays_nobody(tiny: HFModel) -> None:
    requests = greedy(tokens(1, 100), tokens(2, 6), tokens(3, 20))
    whole = [g.tokens for g in tiny.generate(requests)]
    sampled, first = run_through(tiny.batch(prefill_chunk=16), requests)
    assert sampled == whole
    assert first == [8, 0, 3]  # 8 tokens a step while others wait, then 16
    assert run_through(tiny.batch(prefill_chunk=1), requests[1:])[0] == whole[1:]  # the smallest, and it ends


def test_the_next_turn_prefills_only_what_is_new(tiny: HFModel, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.publish("a@1", randomised(tiny, 7))
    chat, more = tokens(1, 40), tokens(2, 9)
    (answer,) = tiny.generate(greedy(chat))
    turns = greedy([*chat, *answer.tokens, *more])
    expected = [g.tokens for g in tiny.generate(turns)]
    batch = tiny.batch(prefix_cache_tokens=200)
    run_through(batch, greedy(chat))
    run_through(batch, greedy(tokens(9, 30)))  # somebody else
    read: list[int] = []
    inner = tiny.runner.prefill

    def watched(prompts: list[list[int]], *rest: Any) -> object:
        read.extend(len(p) for p in prompts)
        return inner(prompts, *rest)

    monkeypatch.setattr(tiny.runner, "prefill", watched)
    assert run_through(batch, turns)[0] == expected
    assert read == [10]  # the answer's last token, which was sampled but never read, and what is new
    assert run_through(batch, greedy(chat, version="a@1"))[0] == [
        g.tokens for g in tiny.generate(greedy(chat, version="a@1"))
    ]  # another version's are not used
    assert read[1] == 40


def test_seeded_sampling_does_not_depend_on_neighbours(tiny: HFModel) -> None:
    def request(seed: int) -> GenerateRequest:
        return GenerateRequest(tuple(tokens(3, 5)), Sampling(10, temperature=1.0, top_p=0.9, seed=seed))

    alone = tiny.generate([request(5)])[0].tokens
    crowd = tiny.generate([request(1), request(5), request(2)])
    assert crowd[1].tokens == alone
    assert crowd[0].tokens != alone


def test_versions_share_a_batch(tiny: HFModel) -> None:
    tiny.publish("a@1", randomised(tiny, 7))
    tiny.publish("b@1", randomised(tiny, 8))
    names = ["base", "a@1", "b@1", "a@1"]
    mixed = tiny.generate([GenerateRequest(tuple(tokens(3, 5)), Sampling(6), n) for n in names])
    single = [tiny.generate([GenerateRequest(tuple(tokens(3, 5)), Sampling(6), n)])[0].tokens for n in names]
    assert [g.tokens for g in mixed] == single
    assert len({tuple(s) for s in single}) == 3


def test_requests_join_together_or_not_at_all(tiny: HFModel) -> None:
    batch = tiny.batch()
    with pytest.raises(VersionError, match="not loaded"):
        batch.add([*greedy(tokens(1, 5)), *greedy(tokens(2, 5), version="a@1")])
    assert not len(batch)


def test_a_request_longer_than_the_window_is_refused(tiny: HFModel) -> None:
    with pytest.raises(ContextTooLong, match="do not fit"):
        tiny.batch().add([GenerateRequest(tuple(tokens(0, 512)), Sampling(1))])
    answer = tiny.generate([GenerateRequest(tuple(tokens(0, 505)), Sampling(100))])[0]
    assert len(answer.tokens) <= 7
