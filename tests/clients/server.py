"""A server whose model calls a tool when the weather is asked for: `python -m tests.clients.server PORT`."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import uvicorn

from nightschool.config import NightConfig, ServeConfig, home
from nightschool.engines.scripted import ScriptedModel
from nightschool.errors import NothingToLearn
from nightschool.night.schedule import Schedule
from nightschool.serve import create_app
from nightschool.store import Store

_CONTEXT = 400_000  # characters: agents send long prompts
_TOOL = re.compile(r'^\{"name": .*\}$', re.MULTILINE)  # as `engines.tools.plain` lists them
_TURN = re.compile(r"^(?:user|assistant): ", re.MULTILINE)
_RESULT = "<tool_response>"
_FILLED = {"city": "Paris", "cmd": "echo it is 21 degrees", "command": "echo it is 21 degrees"}


def answer(prompt: str, _: str) -> str:
    """Call the tool that fits the question; once there is a result, tell it."""
    said = _TURN.split(prompt)[-2].strip()
    tools = {tool["name"]: tool for tool in map(json.loads, _TOOL.findall(prompt))}
    if said.startswith(_RESULT):
        if "final_answer" in tools:
            return _call(tools["final_answer"])
        return "It is 21 degrees in Paris."
    if "weather" in said.lower():
        fitting = [
            tool
            for name, tool in tools.items()
            if re.search("weather|^exec_command$|^shell|^bash$", name, re.IGNORECASE)
        ]
        if fitting:
            return _call(fitting[0])
    if "```json" in prompt and not tools:  # as instructor asks for it
        return '```json\n{"name": "Ann", "age": 31}\n```'
    return "Hello, I am a script."


def _call(tool: dict[str, Any]) -> str:
    schema = tool.get("parameters") or {}
    arguments = {name: _FILLED.get(name, "It is 21 degrees.") for name in schema.get("required", [])}
    call = json.dumps({"name": tool["name"], "arguments": arguments})
    return f"<tool_call>\n{call}\n</tool_call>"


def _no_dream() -> str:
    raise NothingToLearn("a script learns nothing")


def main() -> None:
    app = create_app(
        ScriptedModel(answer, context_length=_CONTEXT),
        Store.open(home()),
        ServeConfig(),
        dream=_no_dream,
        schedule=Schedule(NightConfig(), _no_dream),
    )
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")


if __name__ == "__main__":
    main()
