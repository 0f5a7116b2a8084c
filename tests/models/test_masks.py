"""Whatever a model's logits are, its answer follows the grammar; rows beside it are none the wiser."""

import json
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from nightschool.engines.base import GenerateRequest, Generation, Sampling
from nightschool.errors import GrammarError
from nightschool.models.hf import HFModel
from nightschool.models.masks import Masks
from nightschool.models.vocabulary import Vocabulary
from tests.conftest import tiny_net, tiny_tokenizer
from tests.helpers import TOLERANCE, oracle, tokens

EOS = 1


def by_schema(schema: dict[str, Any]) -> str:
    return f"start: %json {json.dumps({**schema, 'x-guidance': {'whitespace_flexible': False}})}"


def generate(model: HFModel, *samplings: Sampling) -> list[Generation]:
    return model.generate([GenerateRequest(tuple(tokens(3, 5)), how) for how in samplings])


def told(model: HFModel, answer: Generation) -> str:
    return b"".join(model.token_bytes(t) for t in answer.tokens if t != EOS).decode()


names = st.text(alphabet="ab_é", min_size=1, max_size=3)
whole_numbers = st.integers(-(2**53), 2**53)  # larger ones are no longer exact in llguidance (RFC 8259, 6)
leaves = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(lambda low: {"type": "integer", "minimum": low, "maximum": low + 120}, st.integers(-99, 99)),
    st.builds(lambda most: {"type": "string", "maxLength": most}, st.integers(0, 3)),
    st.builds(lambda values: {"enum": values}, st.lists(names | whole_numbers, min_size=1, max_size=3)),
    st.builds(lambda value: {"const": value}, st.dictionaries(names, st.booleans(), max_size=1)),
)


def nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    lists = st.builds(
        lambda items, least: {"type": "array", "items": items, "minItems": least, "maxItems": 2},
        inner,
        st.integers(0, 2),
    )
    objects = st.builds(
        lambda properties, needed: {
            "type": "object",
            "properties": properties,
            "required": [name for name, wanted in zip(properties, needed, strict=False) if wanted],
            "additionalProperties": False,
        },
        st.dictionaries(names, inner, max_size=3),
        st.lists(st.booleans(), min_size=3, max_size=3),
    )
    return lists | objects | st.builds(lambda one, two: {"anyOf": [one, two]}, inner, inner)


schemas = st.recursive(leaves, nested, max_leaves=4)
MODEL = HFModel(tiny_net(), tiny_tokenizer(), "tiny")


@given(schemas, st.integers(0, 999), st.sampled_from([0.0, 1.0, 2.0]))
@settings(max_examples=60)
def test_every_answer_is_valid(schema: dict[str, Any], seed: int, temperature: float) -> None:
    (answer,) = generate(MODEL, Sampling(400, temperature, seed=seed, grammar=by_schema(schema)))
    assert answer.finish == "stop"
    assert answer.tokens[-1] == EOS
    assert jsonschema_rs.is_valid(schema, json.loads(told(MODEL, answer)))


def test_an_answer_that_runs_out_of_tokens_is_told_so(tiny: HFModel) -> None:
    grammar = 'start: "[" /[0-9]{3}/ "]"'
    short, whole = generate(tiny, Sampling(4, grammar=grammar), Sampling(9, grammar=grammar))
    assert (short.tokens, short.finish) == (whole.tokens[:4], "length")
    assert (len(whole.tokens), whole.finish) == (6, "stop")


def test_rows_with_and_without_masks_do_not_touch_each_other(tiny: HFModel) -> None:
    plain = [Sampling(30, 1.0, seed=i) for i in range(3)]
    bound = [replace(how, grammar=by_schema({"type": "array", "items": {"enum": ["a", 7]}})) for how in plain]
    rows = [*plain, *bound, replace(bound[0], grammar="start: /[xyz]+/"), Sampling(30)]
    together = generate(tiny, *rows)
    for how, answer in zip(rows, together, strict=True):
        (alone,) = generate(tiny, how)
        assert answer.tokens == alone.tokens
        assert answer.logprobs == pytest.approx(alone.logprobs, abs=TOLERANCE)
    assert together[0].tokens != together[3].tokens


def test_log_probabilities_are_over_what_may_come(tiny: HFModel) -> None:
    how = Sampling(8, 1.0, seed=4, grammar="start: /[a-f]+/", top=300)
    batch = tiny.batch()
    batch.add([GenerateRequest(tuple(tokens(3, 5)), how)])
    row = tokens(3, 5)
    may_come = [tiny.tokenizer.encode(letter)[0] for letter in "abcdef"]
    while len(batch):
        (out,) = batch.step()
        allowed = [*may_come, EOS] if len(row) > 5 else may_come
        with torch.no_grad():
            logps = oracle()(torch.tensor([row])).logits[0, -1][allowed].log_softmax(-1)
        assert dict(out.top) == pytest.approx(dict(zip(allowed, logps.tolist(), strict=True)), abs=TOLERANCE)
        assert out.logprob == dict(out.top)[out.token]
        row.append(out.token)


@pytest.mark.parametrize("grammar", ["start: nothing", 'start: %json {"type": "strin"}', "start: /(/"])
def test_what_is_no_grammar_is_refused_before_it_joins(tiny: HFModel, grammar: str) -> None:
    with pytest.raises(GrammarError) as refused:
        tiny.prepare(Sampling(4, grammar=grammar))
    assert "\n" not in str(refused.value)
    batch = tiny.batch()
    with pytest.raises(GrammarError):
        batch.add([GenerateRequest((5,), Sampling(4)), GenerateRequest((5,), Sampling(4, grammar=grammar))])
    assert not len(batch)


def test_a_row_that_no_token_can_continue_ends_incomplete(caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = tiny_tokenizer()
    lacking = HFModel(tiny_net(), tokenizer, "lacking")
    lacking._tokens.tokens[tokenizer.encode("}")[0]] = b"~"
    answer, beside = generate(lacking, Sampling(9, grammar='start: "{a}"'), Sampling(5))
    assert (lacking.decode(answer.tokens), answer.finish) == ("{a", "length")
    assert len(beside.tokens) == 5
    assert "cannot be followed" in caplog.text


@pytest.mark.parametrize("special", [False, True])
def test_added_tokens(special: bool) -> None:
    """Qwen's <tool_call> is a token of its own, and text; others have special ones, which are never text."""
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<tool_call>"], special_tokens=special)
    (added,) = tokenizer.encode("<tool_call>")
    vocabulary = Vocabulary(tokenizer, 264, [EOS])
    matcher = Masks(vocabulary).matcher('start: "<tool_call>{" /[a-z]/')
    told = tiny_tokenizer().encode("<tool_call>{") if special else tokenizer.encode("<tool_call>{")
    for expected in told:
        logits_V = torch.zeros(264)
        matcher.mask(logits_V)
        assert logits_V[expected] == 0
        assert logits_V[EOS] == logits_V[260:].max() == float("-inf")
        matcher.advance(expected)
    assert not matcher.broken
    assert vocabulary.tokens[added] == b"<tool_call>"


def test_a_tokenizer_of_pieces_with_bytes_to_fall_back_on() -> None:
    """As SentencePiece makes them: spaces are a letter, and one stands before every text."""
    alphabet = ["</s>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *'▁a{":}', "▁a"]
    inner = Tokenizer(
        models.BPE(
            {t: i for i, t in enumerate(alphabet)}, [("▁", "a")], byte_fallback=True, unk_token="<unk>"
        )
    )
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="</s>", unk_token="<unk>")
    vocabulary = Vocabulary(tokenizer, len(alphabet), [0])
    assert [vocabulary.tokens[alphabet.index(t)] for t in ("▁a", "<0xC3>", "{")] == [b" a", b"\xc3", b"{"]
    matcher = Masks(vocabulary).matcher('start: "{\\"é a\\"" /[:]/ "}"')
    said = b""
    for _ in range(20):
        logits_V = torch.zeros(len(alphabet))
        matcher.mask(logits_V)
        token = int(logits_V.argmax())
        if token == 0:
            break
        said += vocabulary.tokens[token]
        matcher.advance(token)
    assert said.decode() == '{"é a":}'


def test_a_tokenizer_of_words_cannot_be_held_to_anything() -> None:
    inner = Tokenizer(models.WordLevel({"[UNK]": 0, "[SEP]": 1, "one": 2}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="[SEP]", unk_token="[UNK]")
    vocabulary = Vocabulary(tokenizer, 4, [1])
    assert vocabulary.tokens[2:] == [b"one", b""]
    with pytest.raises(GrammarError, match="this model's tokenizer cannot be held to a grammar"):
        Masks(vocabulary).matcher("start: /[a-z]+/")


@given(st.text(max_size=20))
def test_the_bytes_of_tokens_are_the_text(text: str) -> None:
    ids = MODEL.tokenizer.encode(text)
    assert b"".join(map(MODEL.token_bytes, ids)) == text.encode()


def test_a_grammar_is_compiled_once(tiny: HFModel) -> None:
    generate(tiny, *[Sampling(3, seed=seed, grammar="start: /a+/") for seed in range(3)])
    assert tiny._masks._compiled.cache_info().misses == 1
