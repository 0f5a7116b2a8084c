"""Tools as plain text, and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.engines.tools import CLOSE, OPEN, parse_calls, plain, render_assistant
from nightschool.types import Message, ToolCall

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
CALL = ToolCall("c1", "look_up", '{"name": "Zoë"}')


def parsed(text: str) -> tuple[str, tuple[ToolCall, ...]]:
    return parse_calls(text, lambda: "c1")


def test_schemas_go_to_the_end_of_the_system_turn_or_into_one_of_their_own() -> None:
    user = Message("user", "hi")
    (own, same) = plain([user], (TOOL,))
    assert (own.role, same) == ("system", user)
    assert json.dumps(TOOL["function"]) in own.content
    (system, _) = plain([Message("system", "Be brief."), user], (TOOL,))
    assert system.content == f"Be brief.\n\n{own.content}"


def test_without_tools_a_conversation_stays_as_it_is() -> None:
    turns = [Message("system", "Be brief."), Message("user", "hi"), Message("assistant", "yes")]
    assert plain(turns, ()) == turns


def test_calls_and_results_become_text() -> None:
    turns = [Message("assistant", "", tool_calls=(CALL,)), Message("tool", "found", tool_call_id="c1")]
    called, result = plain(turns, ())
    assert called == Message("assistant", render_assistant(turns[0]))
    assert result == Message("user", "<tool_response>\nfound\n</tool_response>")


plain_text = st.text().map(str.strip).filter(lambda text: OPEN not in text)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
written = st.dictionaries(st.text() | st.sampled_from([OPEN, CLOSE]), values, max_size=4)
calls_of_any_kind = st.builds(
    lambda name, arguments, escaped: ToolCall("c1", name, json.dumps(arguments, ensure_ascii=escaped)),
    st.text(min_size=1),
    written,
    st.booleans(),
)


@given(plain_text, st.lists(calls_of_any_kind, min_size=1, max_size=3))
def test_what_is_rendered_is_parsed_again(content: str, calls: list[ToolCall]) -> None:
    message = Message("assistant", content, tool_calls=tuple(calls))
    assert parsed(render_assistant(message)) == (content, tuple(calls))


@given(st.text() | st.text(alphabet='<>/tol_ca{}[]":, name').map(lambda text: OPEN + text))
def test_text_without_a_call_stays_as_it_is(text: str) -> None:
    rest, calls = parsed(text)
    assert calls or rest == text


def call(body: str) -> str:
    return f"{OPEN}{body}{CLOSE}"


FIND = ToolCall("c1", "find", '{"q": 1}')


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ('{"q": "a </tool_call> b"}', '{"q": "a </tool_call> b"}'),
        ('{"q":1.10,  "n":1e400}', '{"q":1.10,  "n":1e400}'),  # as the model wrote them
        ('"{\\"q\\": 1}"', '{"q": 1}'),  # encoded twice
        ('"{}"', "{}"),
        ("null", "{}"),
        ('""', "{}"),
        ('" "', "{}"),
        ("{}", "{}"),
        ('"Paris"', '"Paris"'),
        ("[1]", "[1]"),
        ('{"q": "one\ntwo"}', '{"q": "one\\ntwo"}'),  # a line break in a string
        (r'{"q": "\ud83d!"}', '{"q": "\ufffd!"}'),  # half an emoji
        (r'{"q": "\ud83d\ude42"}', r'{"q": "\ud83d\ude42"}'),  # a whole one
    ],
)
def test_arguments_are_what_the_model_meant(arguments: str, meant: str) -> None:
    for text in (
        call(f'\n{{"name": "find", "arguments": {arguments}}}\n'),
        call(f'{{"arguments":{arguments},"name":"find"}}'),
        call(f'[{{"name": "find", "parameters" : {arguments} }} ]'),
    ):
        assert parsed(text) == ("", (ToolCall("c1", "find", meant),))


def test_a_call_without_arguments_has_none() -> None:
    assert parsed(call('{"name": "stop"}')) == ("", (ToolCall("c1", "stop", "{}"),))


@pytest.mark.parametrize("end", ["", "\n", "\n</tool", CLOSE])
def test_a_call_may_lack_its_closing_tag_where_nothing_follows(end: str) -> None:
    opened = f'{OPEN}\n{{"name": "find", "arguments": {{"q": 1}}}}'
    assert parsed(f"See. {opened}{end}") == ("See.", (FIND,))
    assert parsed(f"See. {opened}\n{opened}{end}") == ("See.", (FIND, FIND))
    assert parsed(f"{opened} and so on") == (f"{opened} and so on", ())


def test_several_calls_in_one_tag() -> None:
    one = '{"name": "find", "arguments": {"q": 1}}'
    assert parsed(call(f"[{one}, {one}]")) == ("", (FIND, FIND))
    assert parsed(call(f"[{one}, 3]")) == (call(f"[{one}, 3]"), ())


MALFORMED = [
    "",
    "{",
    "[]",
    "[1]",
    '{"arguments": {}}',
    '{"name": 3}',
    '{"name": ""}',
    '{"name": "f", "arguments": {"a": NaN}}',
    '{"name": "f", "arguments": {}}}',
    "[" * 100_000,
]


@pytest.mark.parametrize("body", MALFORMED)
def test_a_malformed_call_stays_in_the_text(body: str) -> None:
    text = f" {call(body)} "
    assert parsed(text) == (text, ())
    good = call('{"name": "stop"}')
    assert parsed(text + good) == (text.strip(), (ToolCall("c1", "stop", "{}"),))
