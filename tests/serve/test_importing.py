"""`import`: the good lines go in, the bad ones are named, twice is once."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightschool.serve.importing import import_sessions
from nightschool.store import Store
from nightschool.types import Message, ToolCall

TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def line(**fields: object) -> bytes:
    return json.dumps({"messages": TURNS, **fields}).encode()


def test_imports_with_feedback_and_twice_is_once(store: Store) -> None:
    lines = [line(id="a", user="ann", feedback={"rating": "good", "comment": "nice"}), b"\n", line()]
    first = import_sessions(store, lines)
    assert (first.new, first.unchanged, first.bad) == (2, 0, [])
    again = import_sessions(store, lines)
    assert (again.new, again.unchanged, again.bad) == (0, 2, [])
    session = store.sessions.get("a")
    assert (session.user, session.rating, session.comment, session.source) == (
        "ann",
        "good",
        "nice",
        "import",
    )
    assert len(store.feedback.ratings("a")) == 1


def roles(store: Store, session: str = "a") -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in store.sessions.get(session).messages]


CHAT = [("user", "hi"), ("assistant", "hello")]


@pytest.mark.parametrize(
    "lines",
    [
        [b"\xef\xbb\xbf" + line(id="a") + b"\r\n", b"\r\n", line(id="b") + b"\r\n"],
        [b"[" + line(id="a") + b",\n", b"\n", line(id="b") + b"]\n"],
        json.dumps([json.loads(line(id=name)) for name in "ab"], indent=2).encode().splitlines(keepends=True),
    ],
)
def test_files_as_other_programs_write_them(store: Store, lines: list[bytes]) -> None:
    report = import_sessions(store, lines)
    assert (report.new, report.bad) == (2, [])
    assert roles(store, "a") == roles(store, "b") == CHAT


def test_half_an_emoji_is_replaced(store: Store) -> None:
    cut = line(id="a", messages=[{"role": "user", "content": "hi \ud83d there"}, *TURNS[1:]])
    whole = line(id="b", messages=[{"role": "user", "content": "\U0001f989"}, *TURNS[1:]])
    assert b"\\ud83e\\udd89" in whole
    assert import_sessions(store, [cut, whole]).bad == []
    assert roles(store, "a")[0] == ("user", "hi \ufffd there")
    assert roles(store, "b")[0] == ("user", "\U0001f989")


CALL = {"name": "get", "arguments": {"city": "Köln"}}
FUNCTION = {"name": "get", "parameters": {"type": "object"}}
TOOL = {"type": "function", "function": FUNCTION}
FLOW = [
    Message("user", "How warm?"),
    Message("assistant", "", (ToolCall("call_1", "get", '{"city": "Köln"}'),)),
    Message("tool", "21", tool_call_id="call_1"),
    Message("assistant", "21 degrees."),
]
ASKED, TOLD = ({"role": m.role, "content": m.content} for m in (FLOW[0], FLOW[-1]))


def flow(call: object, result: object, **fields: object) -> dict[str, object]:
    return {"messages": [ASKED, call, result, TOLD], **fields}


def shared(*turns: tuple[str, str], **fields: object) -> dict[str, object]:
    both = [("human", "How warm?"), *turns, ("gpt", "21 degrees.")]
    return {"conversations": [{"from": role, "value": text} for role, text in both], **fields}


FORMS: dict[str, dict[str, object]] = {
    "OpenAI's": flow(
        {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": {
            "name": "get", "arguments": '{"city": "Köln"}'}}]},
        {"role": "tool", "tool_call_id": "call_1", "name": "get", "content": "21"},
        tools=[TOOL],
        parallel_tool_calls=False,
    ),
    "OpenAI's, before there were tools": flow(
        {"role": "assistant", "content": None, "function_call": {**CALL, "arguments": '{"city": "Köln"}'}},
        {"role": "function", "name": "get", "content": "21"},
        functions=[FUNCTION],
    ),
    "Hugging Face's": flow(
        {"role": "assistant", "tool_calls": [{"type": "function", "function": CALL}]},
        {"role": "tool", "name": "get", "content": "21"},
        tools=[{"type": "function", "function": {**FUNCTION, "return": {"type": "number"}}}],
    ),
    "Hugging Face's, without a wrapper": flow(
        {"role": "assistant", "content": None, "tool_calls": [CALL]}, {"role": "tool", "content": 21},
        tools=[FUNCTION],
    ),
    "ShareGPT": shared(
        ("function_call", json.dumps(CALL)), ("observation", "21"), tools=json.dumps([FUNCTION])
    ),
    "ShareGPT with calls as text": shared(
        ("gpt", f"<tool_call>{json.dumps(CALL, ensure_ascii=False)}</tool_call>"),
        ("tool", "<tool_response>\n21\n</tool_response>"),
        tools=[TOOL],
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_sessions_in_the_forms_of_others(store: Store, form: str) -> None:
    report = import_sessions(store, [json.dumps({"id": "a", **FORMS[form]}).encode()])
    assert report.bad == []
    assert list(store.sessions.get("a").messages) == FLOW
    assert store.sessions.get("a").tools == (TOOL,)


def test_several_calls_get_their_own_results(store: Store) -> None:
    calls: list[object] = [{"function": {"name": name, "arguments": {}}} for name in ("a", "b", "b")]
    results = [{"role": "tool", "name": name, "content": name + n} for name, n in ("b1", "a1", "b2")]
    rows = [ASKED, {"role": "assistant", "tool_calls": calls}, *results, TOLD]
    assert import_sessions(store, [line(id="a", messages=rows)]).bad == []
    _, called, *answered, _ = store.sessions.get("a").messages
    ids = {call.id: call.name for call in called.tool_calls}
    assert [(ids[m.tool_call_id or ""], m.content) for m in answered] == [
        ("b", "b1"),
        ("a", "a1"),
        ("b", "b2"),
    ]
    assert len({m.tool_call_id for m in answered}) == 3


def test_sharegpt_may_name_the_system_apart(store: Store) -> None:
    said = [{"from": "human", "value": "hi", "weight": None}, {"from": "gpt", "value": "hello", "weight": 0}]
    data = {"id": "a", "system": "Be brief.", "conversations": said}
    assert import_sessions(store, [json.dumps(data).encode()]).bad == []
    assert roles(store) == [("system", "Be brief."), *CHAT]
    assert [m.weight for m in store.sessions.get("a").messages] == [None, None, 0]


def test_an_answer_keeps_weight_0(store: Store) -> None:
    rows = [TURNS[0], {**TURNS[1], "weight": 0}, TURNS[0], {**TURNS[1], "weight": 1}]
    import_sessions(store, [line(id="a", messages=rows)])
    assert [m.weight for m in store.sessions.get("a").messages] == [None, 0, None, None]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"{", "not valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (
            line(messages=[{**TURNS[1], "tool_calls": [{"function": "x"}]}]),
            r"messages\.0\.tool_calls: a call",
        ),
        (line(messages=[{**TURNS[1], "tool_calls": "x"}]), r"messages\.0"),
        (line(messages=[{"role": "tool", "content": "21"}, *TURNS]), r"messages\.0 is the result of a call"),
        (line(messages=[*TURNS[:1], {**TURNS[1], "weight": 2}]), r"messages\.1\.weight must be 0 or 1"),
        (b'{"conversations": [{"from": "robot", "value": "x"}]}', r"conversations\.0\.from: 'robot'"),
        (b'{"conversations": [{"from": "gpt", "text": "x"}]}', r"conversations\.0 must be"),
        (b'{"conversations": 1}', "conversations must be"),
        (line(tools="{"), "tools is not valid JSON"),
        (line(functions={"name": "get"}), "functions must be a list"),
        (line(id="a\nb"), "id: 1 to 200 characters"),
        (line(id="x" * 201), "id: 1 to 200 characters"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[]", "a session is a JSON object"),
        (line(mesages=[]), "unknown: mesages"),
        (b'{"id": "x"}', "messages"),
        (line(messages=[{"role": "user", "content": "hi"}]), "no answer of an assistant"),
        (line(messages=[*TURNS, {"role": "robot", "content": "x"}]), r"messages\.2"),
        (line(feedback={"rating": "great"}), "feedback must be"),
        (line(id=3), "id must be a text"),
        (line(tools=[{"type": "x"}]), "tools"),
    ],
)
def test_a_bad_line_is_reported_and_the_others_go_in(store: Store, bad: bytes, reason: str) -> None:
    report = import_sessions(store, [line(id="a"), bad, line(id="b")])
    assert report.new == 2
    ((number, why),) = report.bad
    assert number == 2
    assert re.search(reason, why)
    assert "\n" not in why


KEYS = st.sampled_from(
    "id user messages tools functions feedback conversations system from value role content weight name "
    "tool_calls function_call function arguments tool_call_id type text rating comment parameters".split()
)
VALUES = st.sampled_from([None, 0, 1, 2.5, "", "x", "{", *"user assistant tool system function gpt".split()])
ANYTHING = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, ANYTHING), st.lists(st.dictionaries(KEYS, ANYTHING), max_size=4))
def test_whatever_a_line_holds_the_next_one_goes_in(
    store: Store, data: dict[str, object], turns: list[object]
) -> None:
    lines = [
        json.dumps(one).encode() for one in (data, {**data, "messages": turns}, {"conversations": turns})
    ]
    report = import_sessions(store, [*lines, line(id="a")])
    assert report.new + report.unchanged + len(report.bad) == 4
    assert roles(store, "a") == CHAT


def test_the_same_id_with_other_messages_is_refused(store: Store) -> None:
    other = [*TURNS, {"role": "user", "content": "more"}, {"role": "assistant", "content": "yes"}]
    report = import_sessions(store, [line(id="a"), line(id="a", messages=other)])
    assert "other messages" in report.bad[0][1]
    assert len(store.sessions.get("a").messages) == 2


def test_commands_in_an_imported_chat_are_left_out(store: Store) -> None:
    import_sessions(store, [line(id="a", messages=[*TURNS, {"role": "user", "content": "/good"}])])
    assert len(store.sessions.get("a").messages) == 2
