"""Which answers a request allows, asked of the library that will hold the model to it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer

from nightschool.engines.tools import CLOSE, OPEN, render_assistant, render_call
from nightschool.errors import BadRequest, GrammarError
from nightschool.serve.answer import Ask, Shape
from nightschool.serve.constraints import explained, grammar
from nightschool.types import Message, ToolCall
from tests.conftest import tiny_tokenizer

BYTES: LLTokenizer = from_tokenizer(tiny_tokenizer())


def tool(name: str, parameters: Any = None, **more: Any) -> dict[str, Any]:
    own = {} if parameters is None else {"parameters": parameters}
    return {"type": "function", "function": {"name": name, **own, **more}}


CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ADD = {
    "properties": {"a": {"type": "integer"}, "b": {"$ref": "#/$defs/B"}},
    "required": ["a"],
    "$defs": {"B": {"enum": [1, "zwei"]}},
}
TOOLS = (tool("find", CITY), tool("add 🙂", ADD), tool("stop"))
PERSON = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


def ask(shape: Shape | None, *tools: dict[str, Any]) -> Ask:
    return Ask("m", (), tools or TOOLS, shape=shape)


def allows(asked: Ask, text: str) -> bool:
    """Whether this can be the whole answer."""
    rules = grammar(asked)
    assert rules
    matcher = LLMatcher(BYTES, rules, log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    data = BYTES.tokenize_str(text)
    return matcher.try_consume_tokens(data) == len(data) and matcher.is_accepting()


def call(name: str, arguments: str) -> str:
    return render_call(ToolCall("c", name, arguments))


FIND, ADDED, STOP = (
    call("find", '{"city": "Gent"}'),
    call("add 🙂", '{"a":1,"b": "zwei"}'),
    call("stop", "{}"),
)
WRONG = [
    "",
    "hello",
    call("find", "{}"),
    call("find", '{"city": 3}'),
    call("find", '{"city": "Gent", "street": "x"}'),  # the schema names what there is
    call("lose", '{"city": "Gent"}'),
    call("add 🙂", '{"a": 1, "b": 2}'),
    call("stop", '{"now": true}'),
    FIND.removesuffix(CLOSE),
    FIND.replace('": "', '":  "'),  # white space that could go on for ever
    f" {FIND}",
    f"{FIND}\n",
    f"See. {FIND}",
]
REQUIRED = Shape(tools=("find", "add 🙂", "stop"))


@pytest.mark.parametrize("text", [FIND, ADDED, STOP, f"{FIND}\n{STOP}\n{FIND}"])
def test_required_calls(text: str) -> None:
    assert allows(ask(REQUIRED), text)
    assert allows(ask(replace(REQUIRED, parallel=False)), text) == (text.count(OPEN) == 1)
    assert allows(ask(Shape(tools=("find",))), text) == (text == FIND)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_required_call(text: str) -> None:
    assert not allows(ask(REQUIRED), text)


@given(st.lists(st.dictionaries(st.just("city"), st.text(), min_size=1), min_size=1, max_size=3))
@settings(max_examples=30)
def test_the_form_of_calls_is_the_one_in_which_they_are_rendered(arguments: list[dict[str, str]]) -> None:
    printable = [{"city": each["city"].replace("\x7f", "")} for each in arguments]  # DEL, llguidance has not
    calls = tuple(ToolCall("c", "find", json.dumps(each, ensure_ascii=False)) for each in printable)
    assert allows(ask(REQUIRED), render_assistant(Message("assistant", "", calls)))


def test_json_or_calls_beside_it() -> None:
    both = ask(Shape(PERSON, ("stop",)))
    assert allows(both, '{"age": 3}')
    assert allows(both, f"{STOP}\n{STOP}")
    for text in (FIND, '{"age": "x"}', '{"age": 3} ', f'{{"age": 3}}\n{STOP}', "hello", "{}"):
        assert not allows(both, text)
    only = ask(Shape(PERSON))
    assert allows(only, '{"age":3}')
    assert not allows(only, STOP)
    assert allows(ask(Shape({"type": "object"})), '{"a": {"b": [1, "ü", null]}}')
    assert not allows(ask(Shape({"type": "object"})), "[1]")


STRICT = (tool("find", CITY, strict=True), tool("add 🙂", ADD))
TEXTS = ["", "Hello, <tool> and <tool_cal", f"{FIND}", f"See.\n{FIND}", f"{FIND}\nDone."]


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_free_beside_strict_tools(text: str) -> None:
    assert allows(ask(None, *STRICT), text)


@pytest.mark.parametrize("text", [*WRONG[2:6], f"Hm. {WRONG[3]}", f"{OPEN} is how a call begins"])
def test_a_call_of_a_strict_tool_is_valid_once_it_is_opened(text: str) -> None:
    assert not allows(ask(None, *STRICT), text)


def test_arguments_of_other_tools_may_be_any_object_unless_they_are_forced() -> None:
    free = call("add 🙂", '{"c": 9}')
    assert allows(ask(None, *STRICT), free)
    assert allows(ask(Shape(parallel=False)), free)
    assert not allows(ask(None, *STRICT), call("add 🙂", "[9]"))
    assert not allows(ask(REQUIRED), free)


def test_one_call_at_most() -> None:
    one = ask(Shape(parallel=False))
    assert allows(one, f"See. {FIND}")
    assert allows(one, "No call.")
    assert not allows(one, f"{FIND}\n{FIND}")


def test_nothing_is_held_to_anything_unless_asked() -> None:
    assert grammar(ask(None)) is None
    assert grammar(Ask("m", ())) is None
    assert grammar(Ask("m", (), shape=Shape(parallel=False))) is None


@pytest.mark.parametrize(
    ("schema", "more_allowed"),
    [
        (PERSON, False),
        ({"$defs": {"P": PERSON}, "$ref": "#/$defs/P"}, False),
        ({**PERSON, "additionalProperties": True}, True),
        ({**PERSON, "patternProperties": {"^x": True}}, True),
        ({"type": "object"}, True),
        ({"allOf": [PERSON, {"properties": {"x": {"const": 1}}}]}, True),
        ({**PERSON, "anyOf": [{"required": ["age"]}, {"properties": {"x": True}}]}, True),
    ],
)
def test_properties_that_are_not_named_are_not_invented(schema: dict[str, Any], more_allowed: bool) -> None:
    asked = ask(Shape(schema))
    assert allows(asked, '{"age": 3}')
    assert allows(asked, '{"age": 3, "x": 1}') == more_allowed


def test_what_only_looks_like_a_schema_is_left_alone() -> None:
    value = {"properties": {"allOf": 1}}
    assert allows(ask(Shape({"enum": [value], "default": value})), '{"properties": {"allOf": 1}}')
    named = {"type": "object", "properties": {"properties": PERSON, "allOf": {"type": "integer"}}}
    assert allows(ask(Shape(named)), '{"properties": {"age": 1}, "allOf": 2}')
    assert not allows(ask(Shape(named)), '{"properties": {"age": 1, "x": 2}}')


def refused(asked: Ask) -> BadRequest:
    rules = grammar(asked)
    assert rules
    failed, reasons = LLMatcher.validate_grammar_with_warnings(rules)
    assert failed
    return explained(asked, GrammarError(reasons[0]))


UNKNOWN = {"type": "object", "not": {"required": ["a"]}}


@pytest.mark.parametrize(
    ("asked", "param", "says"),
    [
        (ask(Shape(UNKNOWN, strict=True)), "response_format", 'response_format: Unimplemented keys: ["not"]'),
        (ask(Shape({"type": "strin"}, field="text.format")), "text.format", "Invalid type: strin"),
        (ask(Shape({"pattern": "(", "type": "string"})), "response_format", "unclosed group"),
        (ask(Shape({"$ref": "http://x.example/y"})), "response_format", "not fetch resources"),
        (
            ask(Shape(tools=("bad",)), tool("good", CITY), tool("bad", {"$ref": "#/nope"})),
            "tools",
            "function 'bad': Pointer",
        ),
        (ask(None, tool("loose", UNKNOWN), tool("bad", UNKNOWN, strict=True)), "tools", "function 'bad'"),
    ],
)
def test_which_schema_is_to_blame(asked: Ask, param: str, says: str) -> None:
    error = refused(asked)
    assert error.param == param
    assert says in str(error)
    assert "\n" not in str(error)


def test_what_is_not_strict_is_followed_as_far_as_it_can_be() -> None:
    odd = {**PERSON, "not": {"required": ["a"]}, "properties": {"age": {"type": "string", "format": "age"}}}
    assert allows(ask(Shape(odd)), '{"age": "x"}')
    assert not allows(ask(Shape(odd)), '{"age": 3}')


def test_a_schema_may_not_be_bottomless() -> None:
    schema: dict[str, Any] = {}
    for _ in range(5000):
        schema = {"items": schema}
    with pytest.raises(BadRequest, match="nested too deep"):
        grammar(ask(Shape(schema)))
