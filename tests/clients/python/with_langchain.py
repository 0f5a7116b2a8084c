"""langchain-openai."""

from typing import Any

from cells import DEGREES, SCRIPTED_V1, V1, WEATHER, get_weather, liked, raised, run
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field

OPTIONS: dict[str, Any] = {"model": "live", "api_key": "none", "max_retries": 0}
real = ChatOpenAI(base_url=V1, max_completion_tokens=64, temperature=0, **OPTIONS)
scripted = ChatOpenAI(base_url=SCRIPTED_V1, **OPTIONS)
weather = tool(get_weather)


class Person(BaseModel):
    """A person."""

    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=120)


class City(BaseModel):
    """Get the current weather in a city."""

    city: str = Field(max_length=12)


def chat() -> None:
    turns: list[Any] = [("system", "Be brief."), ("user", "Hello")]
    first = real.invoke(turns)
    assert real.invoke([*turns, first, ("user", "Who are you?")]).content


def stream() -> None:
    assert "".join(str(chunk.content) for chunk in real.stream("Hello"))


def _use(model: ChatOpenAI) -> None:
    bound = model.bind_tools([weather])
    turns: list[Any] = [HumanMessage(WEATHER)]
    message = bound.invoke(turns)
    (call,) = message.tool_calls
    turns += [message, ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"], name="get_weather")]
    assert DEGREES in bound.invoke(turns).text


def tools() -> None:
    _use(scripted)
    chunks = list(scripted.bind_tools([weather]).stream(WEATHER))
    assert any(chunk.tool_call_chunks for chunk in chunks)


def forced() -> None:
    message = real.bind_tools([City], tool_choice="any").invoke(WEATHER)
    assert message.tool_calls[0]["name"] == "City"


def structured() -> None:
    for method in ("function_calling", "json_mode", "json_schema"):
        parser = real.with_structured_output(City if method == "json_mode" else Person, method=method)
        ask = 'Answer with JSON such as {"city": "Rome"}. Where is the Louvre?'
        parsed = parser.invoke(ask if method == "json_mode" else "Ann is 31 years old.")
        assert isinstance(parsed, Person | City), method


def responses() -> None:
    model = ChatOpenAI(base_url=V1, use_responses_api=True, max_completion_tokens=32, **OPTIONS)
    assert model.invoke("Hello").text
    assert "".join(chunk.text for chunk in model.stream("Hello"))
    _use(ChatOpenAI(base_url=SCRIPTED_V1, use_responses_api=True, **OPTIONS))


def good() -> None:
    first = real.invoke("Hello")
    liked(real.invoke([HumanMessage("Hello"), first, HumanMessage("/good")]).content)


def errors() -> None:
    error = raised(lambda: real.invoke("so " * 9000))
    assert "ContextOverflow" in type(error).__name__, type(error)


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
