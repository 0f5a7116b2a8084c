"""autogen."""

from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import AssistantMessage, UserMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient
from cells import DEGREES, SCRIPTED_V1, V1, WEATHER, get_weather, liked, limit, run
from pydantic import BaseModel, Field

ABLE: Any = {
    "vision": False,
    "function_calling": True,
    "json_output": True,
    "family": "unknown",
    "structured_output": True,
}


class Person(BaseModel):
    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=120)


def model(url: str) -> OpenAIChatCompletionClient:
    return OpenAIChatCompletionClient(
        model="live", base_url=url, api_key="none", model_info=ABLE, max_tokens=limit(url), temperature=0
    )


def user(text: str) -> UserMessage:
    return UserMessage(content=text, source="user")


async def chat() -> None:
    assert (await model(V1).create([user("Hello")])).content


async def stream() -> None:
    assert [piece async for piece in model(V1).create_stream([user("Hello")])]


async def tools() -> None:
    agent = AssistantAgent(
        "assistant", model(SCRIPTED_V1), tools=[get_weather], reflect_on_tool_use=True, system_message=""
    )
    result = await agent.run(task=WEATHER)
    assert DEGREES in str(result.messages[-1].content)


async def structured() -> None:
    answer = await model(V1).create([user("Ann is 31 years old.")], json_output=Person)
    Person.model_validate_json(answer.content)


async def good() -> None:
    first = (await model(V1).create([user("Hello")])).content
    turns = [user("Hello"), AssistantMessage(content=first, source="assistant"), user("/good")]
    liked((await model(V1).create(turns)).content)


run(chat=chat, stream=stream, tools=tools, structured=structured, good=good)
