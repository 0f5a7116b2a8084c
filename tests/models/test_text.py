"""Chat messages to tokens and back."""

import pytest
from tokenizers.processors import TemplateProcessing

from nightschool.errors import BadRequest
from nightschool.models.hf import HFModel
from nightschool.models.text import ChatText, folded
from nightschool.types import Message
from tests.conftest import tiny_tokenizer


def test_chat_template_and_answers(tiny: HFModel) -> None:
    ids = tiny.encode([Message("user", "hi")])
    assert tiny.tokenizer.decode(ids) == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert tiny.decode(tiny.encode_answer("yes")) == "yes"
    assert tiny.encode_answer("yes")[-1] == tiny.eos[0]


def test_a_raw_text_has_what_the_tokenizer_puts_around_any(tiny: HFModel) -> None:
    text = "<|im_start|>user\nhi"
    assert tiny.encode_text(text) == tiny.encode([Message("user", "hi")])[: len("user\nhi") + 1]
    assert max(tiny.encode_text(text)) < tiny.vocabulary == 258
    tokenizer = tiny_tokenizer()
    begins = TemplateProcessing(single="<|im_start|> $A", special_tokens=[("<|im_start|>", 0)])
    tokenizer.backend_tokenizer.post_processor = begins
    with_beginning = ChatText(tokenizer, "begins", 512, [1])
    assert with_beginning.encode_text("hi") == [0, *tiny.encode_text("hi")]
    assert with_beginning.encode_answer("hi") == tiny.encode_answer("hi")


STRICT = """{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}
{%- for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{- raise_exception('Conversation roles must alternate') }}{% endif %}[{{ m['role'] }}] {{ m['content'] }}
{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}"""


@pytest.fixture
def strict() -> ChatText:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = STRICT
    return ChatText(tokenizer, "strict", 512, [0])


def test_turns_that_a_strict_template_refuses_are_folded(strict: ChatText) -> None:
    asked = [Message("system", "Be brief."), Message("user", "hi"), Message("user", "there")]
    turns = [*asked, Message("assistant", "yes")]
    text = strict.decode(strict.encode(turns, generate=False))
    assert text == "[user] Be brief.\n\nhi\n\nthere\n[assistant] yes\n"
    asked_at_once = Message("user", "Be brief.\n\nhi\n\nthere")
    assert folded(turns) == [asked_at_once, Message("assistant", "yes")]


def test_turns_that_it_takes_are_left_alone(strict: ChatText) -> None:
    assert strict.decode(strict.encode([Message("user", "hi")])) == "[user] hi\n[assistant] "


def test_what_cannot_be_folded_is_a_bad_request_with_the_templates_reason(strict: ChatText) -> None:
    with pytest.raises(
        BadRequest, match="template of strict refuses these messages: Conversation roles must"
    ):
        strict.encode([Message("assistant", "hi")])
