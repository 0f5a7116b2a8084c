"""When two turns are the same one, however a client writes it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.store.identity import fingerprints, hashes, reworded
from nightschool.types import Message, ToolCall
from tests.helpers import turns


def call(arguments: str, text: str = "", call_id: str = "c1", name: str = "find") -> Message:
    return Message("assistant", text, (ToolCall(call_id, name, arguments),))


CALL = call('{"q": "ü", "n": 1.0, "deep": {"a": [1, 2], "b": null}}', "Let me see.")
RESULT = Message("tool", "42", tool_call_id="c1")


@pytest.mark.parametrize(
    ("recorded", "sent"),
    [
        (Message("user", "hi"), Message("user", " hi\n")),
        (Message("assistant", "hello"), Message("assistant", "hello", name="bot")),
        (CALL, call('{"deep":{"b":null,"a":[1,2]},"n":1,"q":"\\u00fc"}', "Let me see.")),
        (CALL, call(CALL.tool_calls[0].arguments, "")),
        (CALL, call(CALL.tool_calls[0].arguments, "Let me", "other")),
        (call("{}"), call("")),
        (call('{"half": '), call('{"half": ')),
        (RESULT, Message("tool", "42\n", tool_call_id="other", name="find")),
    ],
)
def test_the_same_turn_written_otherwise(recorded: Message, sent: Message) -> None:
    assert fingerprints([recorded]) == fingerprints([sent])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Message("user", "hi"), Message("assistant", "hi")),
        (Message("user", "hi"), Message("user", "h i")),
        (Message("user", "hi", name="ann"), Message("user", "hi", name="bob")),
        (call('{"q": "1"}'), call('{"q": 1}')),
        (call('{"q": [1, 2]}'), call('{"q": [2, 1]}')),
        (call("{}"), call("{}", name="look")),
        (call("{}"), Message("assistant", "")),
        (call("[" * 100_000), call("[" * 99_999)),
        (RESULT, Message("tool", "43", tool_call_id="c1")),
    ],
)
def test_other_turns(one: Message, other: Message) -> None:
    assert fingerprints([one]) != fingerprints([other])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values))
def test_arguments_are_compared_by_what_they_say(arguments: dict[str, object]) -> None:
    backwards = dict(reversed(arguments.items()))
    one = call(json.dumps(arguments, indent=2))
    other = call(json.dumps(backwards, ensure_ascii=False, separators=(",", ":")))
    assert fingerprints([one]) == fingerprints([other])


def test_what_the_model_said_stays_and_what_the_client_needs_is_the_clients() -> None:
    theirs = call('{"q":"ü"}', "", "theirs")
    assert reworded(CALL, theirs) == call(CALL.tool_calls[0].arguments, "Let me see.", "theirs")
    sent = Message("tool", "42 ", tool_call_id="theirs")
    assert reworded(RESULT, sent) == sent
    assert reworded(Message("assistant", "a", weight=0), Message("assistant", " a")).weight == 0


def test_system_turns_are_no_part_of_what_a_conversation_is_found_by() -> None:
    plain = turns("hi", "hello", "more", "yes")
    clock = Message("system", "It is 12:01.")
    assert [*hashes([clock, *plain[:2], clock, *plain[2:]])] == [
        ("", None),
        *[*hashes(plain)][:2],
        ([*hashes(plain)][1][0], None),
        *[*hashes(plain)][2:],
    ]
