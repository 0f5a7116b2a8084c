"""haystack."""

from typing import Any

from cells import DEGREES, SCRIPTED_V1, V1, WEATHER, get_weather, liked, limit, run
from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import create_tool_from_function
from haystack.utils import Secret
from pydantic import BaseModel, Field


class Person(BaseModel):
    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=120)


def model(url: str, **more: Any) -> OpenAIChatGenerator:
    options = {"max_completion_tokens": limit(url), "temperature": 0, **more}
    return OpenAIChatGenerator(
        Secret.from_token("none"), "live", api_base_url=url, generation_kwargs=options, max_retries=0
    )


def say(text: str) -> ChatMessage:
    return ChatMessage.from_user(text)


def chat() -> None:
    first = model(V1).run([say("Hello")])["replies"][0]
    assert model(V1).run([say("Hello"), first, say("Who are you?")])["replies"][0].text


def stream() -> None:
    pieces = list[Any]()
    assert model(V1).run([say("Hello")], streaming_callback=pieces.append)["replies"][0].text
    assert pieces


def tools() -> None:
    agent = Agent(chat_generator=model(SCRIPTED_V1), tools=[create_tool_from_function(get_weather)])
    assert DEGREES in agent.run([say(WEATHER)])["messages"][-1].text


def structured() -> None:
    reply = model(V1, response_format=Person).run([say("Ann is 31 years old.")])["replies"][0]
    Person.model_validate_json(reply.text)


def good() -> None:
    first = model(V1).run([say("Hello")])["replies"][0]
    liked(model(V1).run([say("Hello"), first, say("/good")])["replies"][0].text)


run(chat=chat, stream=stream, tools=tools, structured=structured, good=good)
