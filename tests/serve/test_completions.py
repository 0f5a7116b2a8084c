"""Legacy completions through their real client: raw texts, which are no conversation."""

from collections.abc import Callable

import openai
import pytest

from tests.serve.conftest import Server


@pytest.fixture
def writer(serving: Callable[..., Server]) -> Server:
    """Says where the prompt ends, and goes on."""
    return serving(lambda prompt, version: f" after {prompt[-4:]}, says {version}", context_length=200)


def test_a_text_goes_on_without_a_template(writer: Server) -> None:
    prompt = "I believe the meaning of life is"
    answer = writer.client.completions.create(model="live", prompt=prompt, max_tokens=50)
    (choice,) = answer.choices
    assert (choice.text, choice.finish_reason, answer.model) == (" after e is, says base", "stop", "base")
    assert (answer.object, answer.id[:5]) == ("text_completion", "cmpl-")
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == len(prompt)
    assert answer.usage.completion_tokens == len(choice.text) + 1  # EOS is sampled, too


def test_sixteen_tokens_unless_more_are_wanted(writer: Server) -> None:
    answer = writer.client.completions.create(model="live", prompt="Write a very long book.")
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == (" after ook., say", "length")


def test_a_stream_says_the_same(writer: Server) -> None:
    prompts = ["one", "two and more"]
    whole = writer.client.completions.create(model="live", prompt=prompts, max_tokens=50)
    texts, finishes = ["", ""], ["", ""]
    chunks = list(
        writer.client.completions.create(
            model="live", prompt=prompts, max_tokens=50, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].usage == whole.usage
    for chunk in chunks[:-1]:
        (choice,) = chunk.choices
        texts[choice.index] += choice.text
        finishes[choice.index] += choice.finish_reason or ""
    assert (
        texts
        == [choice.text for choice in whole.choices]
        == [" after one, says base", " after more, says base"]
    )
    assert finishes == ["stop", "stop"]


def test_texts_and_tokens_in_any_number(writer: Server) -> None:
    def texts(prompt: object, **options: int) -> list[str]:
        answer = writer.client.completions.create(model="live", prompt=prompt, max_tokens=50, **options)  # type: ignore[call-overload]
        assert [choice.index for choice in answer.choices] == [*range(len(answer.choices))]
        return [choice.text for choice in answer.choices]

    tokens = [ord(c) for c in "text"]
    assert texts(tokens) == texts("text")
    assert texts([tokens, tokens]) == texts("text") * 2
    assert texts(["text", tokens, "else"]) == [*texts("text") * 2, *texts("else")]
    assert texts(["text", "else"], n=2) == [*texts("text") * 2, *texts("else") * 2]


def test_stops_and_log_probabilities(writer: Server) -> None:
    answer = writer.client.completions.create(
        model="base", prompt="text", stop=["says", ","], max_tokens=50, logprobs=0
    )
    (choice,) = answer.choices
    assert (choice.text, choice.finish_reason) == (" after text", "stop")
    assert choice.logprobs is not None
    assert choice.logprobs.tokens is not None
    assert "".join(choice.logprobs.tokens).startswith(choice.text)
    assert choice.logprobs.token_logprobs == [-1.0] * len(choice.logprobs.tokens)


def test_nothing_is_recorded_and_nothing_is_a_command(writer: Server) -> None:
    raw = writer.client.completions.with_raw_response.create(
        model="live", prompt="/good", extra_headers={"X-Session-Id": "mine"}
    )
    assert "x-session-id" not in raw.headers
    assert raw.parse().choices[0].text.startswith(" after good")
    assert writer.store.sessions.all() == []
    assert writer.store.sessions.skipped() == []


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("", "holds no tokens"),
        (["text", ""], "holds no tokens"),
        ([], "prompt"),
        ([1_114_112], "no token 1114112"),
        ("x" * 200, "maximum context length is 200"),
        (["x", "x" * 200], "maximum context length is 200"),
    ],
)
def test_a_prompt_that_cannot_be_used(writer: Server, prompt: object, named: str) -> None:
    with pytest.raises(openai.BadRequestError, match=named) as refused:
        writer.client.completions.create(model="live", prompt=prompt)  # type: ignore[call-overload]
    assert refused.value.param == "prompt"
    assert writer.client.completions.create(model="live", prompt="x" * 199).choices[0].text == " "
