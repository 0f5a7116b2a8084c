"""pydantic-ai."""

from typing import Any

from cells import DEGREES, SCRIPTED_V1, V1, WEATHER, get_weather, liked, run
from pydantic import BaseModel, Field
from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

BRIEF: Any = {"max_tokens": 64, "temperature": 0}


class Person(BaseModel):
    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=120)


def chat_model(url: str) -> OpenAIChatModel:
    return OpenAIChatModel("live", provider=OpenAIProvider(base_url=url, api_key="none"))


def responses_model(url: str) -> OpenAIResponsesModel:
    return OpenAIResponsesModel("live", provider=OpenAIProvider(base_url=url, api_key="none"))


def chat() -> None:
    agent = Agent(chat_model(V1), instructions="Be brief.", model_settings=BRIEF)
    first = agent.run_sync("Hello")
    assert agent.run_sync("Who are you?", message_history=first.all_messages()).output


async def stream() -> None:
    async with Agent(chat_model(V1), model_settings=BRIEF).run_stream("Hello") as opened:
        assert await opened.get_output()


def tools() -> None:
    assert DEGREES in Agent(chat_model(SCRIPTED_V1), tools=[get_weather]).run_sync(WEATHER).output


def _typed(model: Any, output: Any) -> None:
    agent = Agent(model, output_type=output, model_settings=BRIEF)
    assert isinstance(agent.run_sync("Ann is 31 years old.").output, Person)


def forced() -> None:
    _typed(chat_model(V1), ToolOutput(Person))


def structured() -> None:
    _typed(chat_model(V1), NativeOutput(Person))
    _typed(chat_model(SCRIPTED_V1), PromptedOutput(Person, template="```json\n{schema}"))


def responses() -> None:
    assert Agent(responses_model(V1), model_settings=BRIEF).run_sync("Hello").output
    assert DEGREES in Agent(responses_model(SCRIPTED_V1), tools=[get_weather]).run_sync(WEATHER).output
    _typed(responses_model(V1), NativeOutput(Person))


def good() -> None:
    agent = Agent(chat_model(V1), model_settings=BRIEF)
    liked(agent.run_sync("/good", message_history=agent.run_sync("Hello").all_messages()).output)


run(
    chat=chat,
    stream=stream,
    tools=tools,
    forced=forced,
    structured=structured,
    responses=responses,
    good=good,
)
