"""agno."""

from agno.agent import Agent, Message
from agno.models.openai.like import OpenAILike
from cells import DEGREES, SCRIPTED_V1, V1, WEATHER, get_weather, liked, limit, run
from pydantic import BaseModel, Field


class Person(BaseModel):
    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=120)


def model(url: str) -> OpenAILike:
    return OpenAILike(id="live", base_url=url, api_key="none", max_tokens=limit(url), temperature=0)


def chat() -> None:
    assert Agent(model=model(V1), telemetry=False).run("Hello").content


def stream() -> None:
    assert list(Agent(model=model(V1), telemetry=False).run("Hello", stream=True))


def tools() -> None:
    agent = Agent(model=model(SCRIPTED_V1), tools=[get_weather], telemetry=False)
    assert DEGREES in agent.run(WEATHER).content


def structured() -> None:
    agent = Agent(model=model(V1), output_schema=Person, telemetry=False)
    assert isinstance(agent.run("Ann is 31 years old.").content, Person)


def good() -> None:
    agent = Agent(model=model(V1), telemetry=False)
    answer = agent.run("Hello").content
    turns = [
        Message(role="user", content="Hello"),
        Message(role="assistant", content=answer),
        Message(role="user", content="/good"),
    ]
    liked(agent.run(turns).content)


run(chat=chat, stream=stream, tools=tools, structured=structured, good=good)
