"""openai-python."""

from typing import Any

import openai
from cells import DEGREES, SCRIPTED_V1, V1, WEATHER, get_weather, liked, raised, run, schema_of_weather
from openai import OpenAI
from pydantic import BaseModel, Field

real = OpenAI(base_url=V1, api_key="none", max_retries=0, timeout=300)
scripted = OpenAI(base_url=SCRIPTED_V1, api_key="none", max_retries=0)


class Person(BaseModel):
    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=120)


def chat() -> None:
    messages: list[Any] = [{"role": "system", "content": "Be brief."}]
    for text in ("Hello", "Who are you?", "Thanks"):
        messages.append({"role": "user", "content": text})
        answer = real.chat.completions.create(model="live", messages=messages, max_tokens=16)
        assert answer.choices[0].message.content
        messages.append(answer.choices[0].message.model_dump())


def stream() -> None:
    """The helper's messages go back as they are, with what they parsed."""
    messages: list[Any] = [{"role": "user", "content": WEATHER}]
    with scripted.chat.completions.stream(
        model="live", messages=messages, tools=[openai.pydantic_function_tool(Weather, name="get_weather")]
    ) as opened:
        message = opened.get_final_completion().choices[0].message
    (call,) = message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": get_weather("Paris")}
    messages += [message, result]
    with scripted.chat.completions.stream(model="live", messages=messages) as opened:
        message = opened.get_final_completion().choices[0].message
    assert DEGREES in message.content
    messages += [message, {"role": "user", "content": "Thanks"}]
    with real.chat.completions.stream(model="live", messages=messages, stop=[".", "!"]) as opened:
        assert opened.get_final_completion().choices[0].message.content


class Weather(BaseModel):
    """Get the current weather in a city."""

    city: str = Field(max_length=12)


def tools() -> None:
    messages: list[Any] = [{"role": "user", "content": WEATHER}]
    options = {"model": "live", "tools": [schema_of_weather()]}
    message = scripted.chat.completions.create(messages=messages, **options).choices[0].message
    (call,) = message.tool_calls
    result = {
        "role": "tool",
        "tool_call_id": call.id,
        "name": "get_weather",
        "content": get_weather("Paris"),
    }
    messages += [message, result]
    final = scripted.chat.completions.create(messages=messages, **options)
    assert DEGREES in final.choices[0].message.content


def forced() -> None:
    tool = openai.pydantic_function_tool(Weather, name="get_weather")
    for choice in ("required", {"type": "function", "function": {"name": "get_weather"}}):
        message = (
            real.chat.completions.create(
                model="live",
                messages=[{"role": "user", "content": WEATHER}],
                tools=[tool],
                tool_choice=choice,
                max_tokens=64,
                temperature=0,
            )
            .choices[0]
            .message
        )
        Weather.model_validate_json(message.tool_calls[0].function.arguments)


def structured() -> None:
    completion = real.chat.completions.parse(
        model="live",
        messages=[{"role": "user", "content": "Ann is 31 years old."}],
        response_format=Person,
        temperature=0,
        max_tokens=64,
    )
    assert isinstance(completion.choices[0].message.parsed, Person)


def responses() -> None:
    first = real.responses.create(model="live", input="Hello", max_output_tokens=16)
    assert first.output_text
    with real.responses.stream(
        model="live", input="And you?", previous_response_id=first.id, max_output_tokens=32
    ) as opened:
        assert opened.get_final_response().output_text
    parsed = real.responses.parse(
        model="live", input="Ann is 31 years old.", text_format=Person, temperature=0, max_output_tokens=64
    )
    assert isinstance(parsed.output_parsed, Person)
    tool = openai.pydantic_function_tool(Weather, name="get_weather")["function"]
    called = scripted.responses.create(model="live", input=WEATHER, tools=[{"type": "function", **tool}])
    call = next(item for item in called.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": get_weather("Paris")}
    final = scripted.responses.create(model="live", input=[result], previous_response_id=called.id)
    assert DEGREES in final.output_text


def good() -> None:
    messages: list[Any] = [{"role": "user", "content": "Hello"}]
    answer = real.chat.completions.create(model="live", messages=messages, max_tokens=16)
    messages += [answer.choices[0].message, {"role": "user", "content": "/good"}]
    liked(real.chat.completions.create(model="live", messages=messages).choices[0].message.content)


def errors() -> None:
    assert real.models.retrieve("live").id == "live"
    long: list[Any] = [{"role": "user", "content": "so " * 9000}]
    error = raised(lambda: real.chat.completions.create(model="live", messages=long))
    assert isinstance(error, openai.BadRequestError)
    assert error.code == "context_length_exceeded"
    assert error.request_id


run(
    chat=chat,
    stream=stream,
    tools=tools,
    forced=forced,
    structured=structured,
    responses=responses,
    good=good,
    errors=errors,
)
