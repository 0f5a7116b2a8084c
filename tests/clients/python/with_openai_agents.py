"""openai-agents for Python."""

from typing import Any

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    SQLiteSession,
    function_tool,
    set_tracing_disabled,
)
from cells import DEGREES, SCRIPTED_V1, V1, WEATHER, get_weather, liked, limit, run
from openai import AsyncOpenAI
from pydantic import BaseModel, Field

set_tracing_disabled(True)
weather = function_tool(get_weather)


class Person(BaseModel):
    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=120)


def agent(kind: Any, url: str, **options: Any) -> Agent:
    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=300)
    settings = ModelSettings(max_tokens=limit(url), temperature=0).resolve(options.pop("settings", None))
    model = kind(model="live", openai_client=client)
    return Agent(name="Assistant", model=model, model_settings=settings, **options)


async def chat() -> None:
    brief = agent(OpenAIChatCompletionsModel, V1, instructions="Be brief.")
    session = SQLiteSession("chat")
    for text in ("Hello", "Who are you?", "Thanks"):
        assert (await Runner.run(brief, text, session=session)).final_output


async def stream() -> None:
    result = Runner.run_streamed(agent(OpenAIChatCompletionsModel, V1), "Hello")
    assert [event async for event in result.stream_events()]
    assert result.final_output


async def _use(kind: Any) -> None:
    """A call, its result, and a turn after them."""
    calling = agent(kind, SCRIPTED_V1, tools=[weather])
    first = await Runner.run(calling, WEATHER)
    assert DEGREES in first.final_output
    second = await Runner.run(calling, [*first.to_input_list(), {"role": "user", "content": "Thanks"}])
    assert second.final_output


async def tools() -> None:
    await _use(OpenAIChatCompletionsModel)


async def forced() -> None:
    calling = agent(
        OpenAIChatCompletionsModel,
        V1,
        tools=[weather],
        settings=ModelSettings(tool_choice="required"),
        tool_use_behavior="stop_on_first_tool",
    )
    assert DEGREES in (await Runner.run(calling, WEATHER)).final_output


async def structured() -> None:
    typed = agent(OpenAIChatCompletionsModel, V1, output_type=Person)
    assert isinstance((await Runner.run(typed, "Ann is 31 years old.")).final_output, Person)


async def responses() -> None:
    plain = agent(OpenAIResponsesModel, V1)
    first = await Runner.run(plain, "Hello")
    assert first.final_output
    assert (await Runner.run(plain, "And you?", previous_response_id=first.last_response_id)).final_output
    result = Runner.run_streamed(plain, "Hello")
    assert [event async for event in result.stream_events()]
    await _use(OpenAIResponsesModel)
    typed = agent(OpenAIResponsesModel, V1, output_type=Person)
    assert isinstance((await Runner.run(typed, "Ann is 31 years old.")).final_output, Person)


async def good() -> None:
    plain, session = agent(OpenAIChatCompletionsModel, V1), SQLiteSession("good")
    await Runner.run(plain, "Hello", session=session)
    liked((await Runner.run(plain, "/good", session=session)).final_output)


run(
    chat=chat,
    stream=stream,
    tools=tools,
    forced=forced,
    structured=structured,
    responses=responses,
    good=good,
)
