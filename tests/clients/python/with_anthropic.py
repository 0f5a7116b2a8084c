"""anthropic, the SDK."""

from typing import Any

from anthropic import Anthropic
from cells import DEGREES, SCRIPTED, URL, WEATHER, get_weather, liked, run

real = Anthropic(base_url=URL, api_key="none", max_retries=0, timeout=300)
scripted = Anthropic(base_url=SCRIPTED, api_key="none", max_retries=0)
CITY = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"]}
TOOL: Any = {"name": "get_weather", "description": "Get the current weather in a city", "input_schema": CITY}


def said(*texts: Any) -> list[Any]:
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


def chat() -> None:
    system: Any = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    first = real.messages.create(model="live", max_tokens=16, system=system, messages=said("Hello"))
    assert first.content[0].text
    turns = said("Hello", first.content, "Who are you?")
    assert real.messages.create(model="live", max_tokens=16, system=system, messages=turns).content


def stream() -> None:
    with real.messages.stream(model="live", max_tokens=16, messages=said("Hello")) as opened:
        text = "".join(opened.text_stream)
        assert opened.get_final_message().content[0].text == text


def tools() -> None:
    options: Any = {"model": "live", "max_tokens": 100, "tools": [TOOL]}
    first = scripted.messages.create(messages=said(WEATHER), **options)
    use = next(block for block in first.content if block.type == "tool_use")
    assert first.stop_reason == "tool_use"
    result = {"type": "tool_result", "tool_use_id": use.id, "content": get_weather("Paris")}
    final = scripted.messages.create(messages=said(WEATHER, first.content, [result]), **options)
    assert DEGREES in final.content[0].text
    with scripted.messages.stream(messages=said(WEATHER), **options) as opened:
        assert opened.get_final_message().content[-1].input == use.input


def forced() -> None:
    for choice in ({"type": "any"}, {"type": "tool", "name": "get_weather"}):
        message = real.messages.create(
            model="live",
            max_tokens=64,
            extra_body={"temperature": 0},  # the SDK knows it no more
            messages=said(WEATHER),
            tools=[TOOL],
            tool_choice=choice,
        )
        assert "city" in message.content[-1].input


def messages() -> None:
    assert real.messages.count_tokens(model="live", messages=said("Hello")).input_tokens > 0
    assert "live" in [model.id for model in real.models.list()]


def good() -> None:
    answer = real.messages.create(model="live", max_tokens=16, messages=said("Hello")).content
    reply = real.messages.create(model="live", max_tokens=16, messages=said("Hello", answer, "/good"))
    liked(reply.content[0].text)


run(chat=chat, stream=stream, tools=tools, forced=forced, messages=messages, good=good)
