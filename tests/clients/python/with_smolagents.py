"""smolagents."""

from typing import Any

from cells import DEGREES, SCRIPTED_V1, V1, WEATHER, get_weather, liked, limit, run
from smolagents import OpenAIModel, ToolCallingAgent, tool


def model(url: str) -> OpenAIModel:
    return OpenAIModel("live", api_base=url, api_key="none", max_tokens=limit(url))


def said(*texts: str) -> list[Any]:
    return [
        {"role": ("user", "assistant")[i % 2], "content": [{"type": "text", "text": text}]}
        for i, text in enumerate(texts)
    ]


def chat() -> None:
    assert model(V1)(said("Hello")).content


def stream() -> None:
    assert "".join(delta.content or "" for delta in model(V1).generate_stream(said("Hello")))


def tools() -> None:
    """This agent asks for a call at every step, and ends by one."""
    agent = ToolCallingAgent(tools=[tool(get_weather)], model=model(SCRIPTED_V1), verbosity_level=0)
    assert DEGREES in str(agent.run(WEATHER, max_steps=3))


def forced() -> None:
    message = model(V1).generate(said(WEATHER), tools_to_call_from=[tool(get_weather)])
    assert message.tool_calls[0].function.name == "get_weather"


def good() -> None:
    answer = model(V1)(said("Hello")).content
    liked(model(V1)(said("Hello", answer, "/good")).content)


run(chat=chat, stream=stream, tools=tools, forced=forced, good=good)
