"""litellm, as a library."""

import asyncio
from typing import Any

import litellm
from cells import DEGREES, SCRIPTED_V1, URL, V1, WEATHER, get_weather, liked, raised, run, schema_of_weather
from pydantic import BaseModel, Field

REAL: dict[str, Any] = {"model": "openai/live", "api_base": V1, "api_key": "none", "num_retries": 0}
SCRIPTED = {**REAL, "api_base": SCRIPTED_V1}


class Person(BaseModel):
    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=120)


def said(*texts: str) -> list[Any]:
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


def chat() -> None:
    assert litellm.completion(messages=said("Hello"), max_tokens=16, **REAL).choices[0].message.content


def stream() -> None:
    chunks = list(litellm.completion(messages=said("Hello"), max_tokens=16, stream=True, **REAL))
    assert litellm.stream_chunk_builder(chunks).choices[0].message.content


def tools() -> None:
    messages = said(WEATHER)
    message = (
        litellm.completion(messages=messages, tools=[schema_of_weather()], **SCRIPTED).choices[0].message
    )
    (call,) = message.tool_calls
    result = {
        "role": "tool",
        "tool_call_id": call.id,
        "name": "get_weather",
        "content": get_weather("Paris"),
    }
    messages += [message, result]
    final = litellm.completion(messages=messages, tools=[schema_of_weather()], **SCRIPTED)
    assert DEGREES in final.choices[0].message.content


def forced() -> None:
    tool = schema_of_weather()
    tool["function"]["parameters"]["properties"]["city"]["maxLength"] = 12
    answer = litellm.completion(
        messages=said(WEATHER), tools=[tool], tool_choice="required", max_tokens=64, temperature=0, **REAL
    )
    assert answer.choices[0].message.tool_calls[0].function.name == "get_weather"


def structured() -> None:
    answer = litellm.completion(
        messages=said("Ann is 31 years old."),
        response_format=Person,
        max_tokens=64,
        temperature=0,
        **REAL,
    )
    Person.model_validate_json(answer.choices[0].message.content)


def responses() -> None:
    answer = litellm.responses(input="Hello", max_output_tokens=16, **REAL)
    assert answer.output[0].content[0].text


def messages() -> None:
    async def ask() -> Any:
        return await litellm.anthropic.messages.acreate(
            messages=said("Hello"), max_tokens=16, model="anthropic/live", api_base=URL, api_key="none"
        )

    assert asyncio.run(ask())["content"][0]["text"]


def good() -> None:
    answer = litellm.completion(messages=said("Hello"), max_tokens=16, **REAL).choices[0].message.content
    liked(litellm.completion(messages=said("Hello", answer, "/good"), **REAL).choices[0].message.content)


def errors() -> None:
    """Its fallbacks to a longer context start with this exception."""
    error = raised(lambda: litellm.completion(messages=said("so " * 9000), **REAL))
    assert isinstance(error, litellm.ContextWindowExceededError), error


run(
    chat=chat,
    stream=stream,
    tools=tools,
    forced=forced,
    structured=structured,
    responses=responses,
    messages=messages,
    good=good,
    errors=errors,
)
