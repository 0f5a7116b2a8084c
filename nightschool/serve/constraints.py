"""What an answer has to be, as a grammar that the model can be held to (llguidance's variant of Lark). Pure.

Where a schema is not `strict`, keywords that the library does not know are left out, as OpenAI's servers only
try to follow such a schema; a strict one with them is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from nightschool.engines.tools import CLOSE, OPEN
from nightschool.errors import BadRequest, GrammarError
from nightschool.serve.answer import Ask, Shape

# One space at most, where people write one: small models that may go on with white space do so for ever.
_COMPACT = {"whitespace_flexible": False, "item_separator": ", ?", "key_separator": ": ?"}


def grammar(ask: Ask) -> str | None:
    """What the answer is held to; None: it may be any text. Raises BadRequest for schemas that are nested too
    deep."""
    shape = ask.shape or Shape()
    functions = _functions(ask, shape)
    if shape.schema is None and not functions:
        return None
    try:
        rules = _beside_text(shape) if _anything(shape) else _whole(shape)
        return "\n".join([*rules, *_calls(functions)])
    except RecursionError as e:
        raise BadRequest("a schema is nested too deep", shape.field) from e


def explained(ask: Ask, error: GrammarError) -> BadRequest:
    """Which of the schemas a grammar could not be made of, and why."""
    from llguidance import LLMatcher

    shape = ask.shape or Shape()
    rules = [(f"function {one['name']!r}", "tools", _arguments(one)) for one in _functions(ask, shape)]
    if shape.schema is not None:
        rules.insert(0, (shape.field, shape.field, _json(shape.schema, shape.strict)))
    for what, field, rule in rules:
        failed, reasons = LLMatcher.validate_grammar_with_warnings(f"start: {rule}")
        if failed:
            # Behind the last of the library's own prefixes, and without the lines that show the place.
            reason = " ".join(reasons[0].split("\n   1 |")[0].split()).rsplit("JSON schema: ", 1)[-1]
            return BadRequest(f"Invalid schema for {what}: {reason}", field, "invalid_value")
    return BadRequest(f"the answer cannot be held to this shape: {error}", shape.field)


def _anything(shape: Shape) -> bool:
    return shape.schema is None and not shape.tools


def _functions(ask: Ask, shape: Shape) -> list[dict[str, Any]]:
    """The functions of which calls are held to a form. Beside any text they are if one of them is strict, or
    there may be one call only; the arguments of those that are not strict are any objects then."""
    functions = [tool["function"] for tool in ask.tools]
    if not _anything(shape):
        return [one for one in functions if one["name"] in shape.tools]
    if shape.parallel and not any(one.get("strict") for one in functions):
        return []
    return [one if one.get("strict") else {"name": one["name"], "parameters": {}} for one in functions]


def _whole(shape: Shape) -> list[str]:
    """Rules for JSON, or calls and nothing beside them."""
    kinds, rules = list[str](), list[str]()
    if shape.schema is not None:
        kinds.append("json")
        rules.append(f"json: {_json(shape.schema, shape.strict)}")
    if shape.tools:
        kinds.append(r'called ("\n" called)*' if shape.parallel else "called")
        rules.append(f'called: "{OPEN}" call')
    return [f"start: {' | '.join(kinds)}", *rules]


def _beside_text(shape: Shape) -> list[str]:
    """Rules for any text in which each opening tag is followed by the rest of a call."""
    start = "start: (opened call)* rest" if shape.parallel else "start: rest | opened call"
    return [start, f'opened[lazy]: TEXT "{OPEN}"', "rest: TEXT", r"TEXT: /(.|\n)*/"]


def _calls(functions: list[dict[str, Any]]) -> Iterator[str]:
    """Rules for the rest of a call behind its opening tag, as `engines.tools` renders it."""
    tail = _quoted("}\n" + CLOSE)
    if functions:
        yield "call: " + " | ".join(f"call_{i}" for i in range(len(functions)))
    for i, function in enumerate(functions):
        head = f'\n{{"name": {json.dumps(function["name"], ensure_ascii=False)}, "arguments": '
        yield f"call_{i}: {_quoted(head)} arguments_{i} {tail}"
        yield f"arguments_{i}: {_arguments(function)}"


def _arguments(function: Mapping[str, Any]) -> str:
    parameters = function.get("parameters")
    if parameters is None:
        return '"{}"'
    return _json({"type": "object", **parameters}, strict=bool(function.get("strict")))


def _json(schema: Mapping[str, Any], strict: bool) -> str:
    """JSON by a schema."""
    options = {**_COMPACT, "lenient": not strict}
    return f"%json {json.dumps({**_closed(schema), 'x-guidance': options}, ensure_ascii=False)}"


# Keys whose values are schemas by name, and keys whose values only may look like schemas.
_NAMED = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
_VALUES = {"const", "enum", "default", "example", "examples", "required"}
# Keys that say which other properties there may be, and keys that say more about the same object.
_OPEN = {"additionalProperties", "unevaluatedProperties", "patternProperties"}
_MORE = {"anyOf", "oneOf", "$ref", "if"}


def _closed(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema without properties that it does not name, unless it says something about them: to invent
    more and more of them is what a small model would do. What fits it fits the schema as it was, too. One in
    which several schemas together describe one object is left as it is."""
    copy = deepcopy({**schema})
    objects = [one for one in _within(copy) if "properties" in one]
    if any("allOf" in one for one in _within(copy)) or any(_MORE & one.keys() for one in objects):
        return schema
    for one in objects:
        if not _OPEN & one.keys():
            one["additionalProperties"] = False
    return copy


def _within(schema: Any) -> Iterator[dict[str, Any]]:
    """The schema, and all schemas in it."""
    if isinstance(schema, list):
        for one in schema:
            yield from _within(one)
    elif isinstance(schema, dict):
        yield schema
        for key, value in schema.items():
            if key in _NAMED and isinstance(value, dict):
                yield from _within([*value.values()])
            elif key not in _VALUES:
                yield from _within(value)


def _quoted(text: str) -> str:
    """The text as a literal of the grammar."""
    return json.dumps(text, ensure_ascii=False)
