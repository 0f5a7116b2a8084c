"""dspy."""

from typing import Literal

import dspy
from cells import V1, liked, run

lm = dspy.LM(
    "openai/live", api_base=V1, api_key="none", temperature=0, max_tokens=96, cache=False, num_retries=0
)


class Mood(dspy.Signature):
    """Say how the text sounds."""

    text: str = dspy.InputField()
    mood: Literal["glad", "sad"] = dspy.OutputField()


def chat() -> None:
    assert lm("Hello")[0]


def structured() -> None:
    """Its JSON adapter sends a schema, or asks for any object where that is refused."""
    with dspy.context(lm=lm, adapter=dspy.JSONAdapter()):
        assert dspy.Predict(Mood)(text="What a lovely day!").mood in ("glad", "sad")


def responses() -> None:
    other = dspy.LM("openai/live", model_type="responses", api_base=V1, api_key="none", cache=False)
    assert other("Hello")[0]


def good() -> None:
    answer = lm("Hello")[0]
    turns = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": answer},
        {"role": "user", "content": "/good"},
    ]
    liked(lm(messages=turns)[0])


run(chat=chat, structured=structured, responses=responses, good=good)
