"""llama-index."""

from cells import DEGREES, SCRIPTED_V1, V1, WEATHER, get_weather, liked, limit, run
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel, Field


class Person(BaseModel):
    """A person."""

    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=120)


def model(url: str) -> OpenAILike:
    return OpenAILike(
        model="live",
        api_base=url,
        api_key="none",
        is_chat_model=True,
        is_function_calling_model=True,
        max_tokens=limit(url),
        temperature=0,
        max_retries=0,
        timeout=300,
    )


def say(text: str, role: str = "user") -> ChatMessage:
    return ChatMessage(role=role, content=text)


def chat() -> None:
    first = model(V1).chat([say("Hello")]).message
    assert model(V1).chat([say("Hello"), first, say("Who are you?")]).message.content


def stream() -> None:
    assert "".join(piece.delta or "" for piece in model(V1).stream_chat([say("Hello")]))


async def tools() -> None:
    agent = FunctionAgent(tools=[FunctionTool.from_defaults(get_weather)], llm=model(SCRIPTED_V1))
    assert DEGREES in str(await agent.run(WEATHER))


def structured() -> None:
    """It forces a tool."""
    parsed = model(V1).as_structured_llm(Person).chat([say("Ann is 31 years old.")]).raw
    assert isinstance(parsed, Person)


def good() -> None:
    first = model(V1).chat([say("Hello")]).message
    liked(model(V1).chat([say("Hello"), first, say("/good")]).message.content)


run(chat=chat, stream=stream, tools=tools, structured=structured, good=good)
