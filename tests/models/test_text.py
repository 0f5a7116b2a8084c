"""Chat messages to tokens and back."""

from nightschool.models.hf import HFModel
from nightschool.types import Message


def test_chat_template_and_answers(tiny: HFModel) -> None:
    ids = tiny.encode([Message("user", "hi")])
    assert tiny.tokenizer.decode(ids) == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert tiny.decode(tiny.encode_answer("yes")) == "yes"
    assert tiny.encode_answer("yes")[-1] == tiny.eos[0]
