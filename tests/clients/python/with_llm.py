"""llm, the command."""

import json
import sys
import tempfile
from pathlib import Path

from cells import DEGREES, SCRIPTED_V1, V1, WEATHER, command, liked, run

folder = Path(tempfile.mkdtemp())
for name, url in (("live", V1), ("scripted", SCRIPTED_V1)):
    with (folder / "extra-openai-models.yaml").open("a") as models:
        models.write(
            f"- model_id: {name}\n  model_name: live\n  api_base: {url}\n"
            "  supports_tools: true\n  supports_schema: true\n"
        )
        models.write(
            f"- model_id: {name}-responses\n  model_name: live\n  api_base: {url}\n  responses: true\n"
        )


def llm(*arguments: str) -> str:
    keys = {"LLM_USER_PATH": str(folder), "OPENAI_API_KEY": "none"}
    return command(sys.executable, "-m", "llm", *arguments, folder=folder, **keys)


def chat() -> None:
    assert llm("-m", "live", "--no-stream", "-s", "Be brief.", "-o", "max_tokens", "16", "Hello").strip()


def stream() -> None:
    assert llm("-m", "live", "-o", "max_tokens", "16", "Hello").strip()


def tools() -> None:
    code = (
        'def get_weather(city: str) -> str:\n    "Get the current weather in a city"\n    return "21 degrees"'
    )
    assert DEGREES in llm("-m", "scripted", "--functions", code, WEATHER)


def structured() -> None:
    reply = llm(
        "-m",
        "live",
        "--schema",
        "age int",
        "-o",
        "max_tokens",
        "64",
        "-o",
        "temperature",
        "0",
        "Ann is 31 years old.",
    )
    assert isinstance(json.loads(reply)["age"], int)


def responses() -> None:
    assert llm("-m", "live-responses", "Hello").strip()


def good() -> None:
    llm("-m", "live", "-o", "max_tokens", "16", "Hello")
    liked(llm("-c", "/good"))


run(chat=chat, stream=stream, tools=tools, structured=structured, responses=responses, good=good)
