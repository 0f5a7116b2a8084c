"""Requests that clients make by themselves about a conversation: kept on record, and out of the way."""

import json
from collections.abc import Sequence

import pytest

from nightschool.store import Store
from nightschool.store.helpers import asks_about, asks_about_any
from nightschool.types import BASE, Feedback, Message, Signal
from tests.helpers import turns

SYSTEM = Message("system", "You are a coding agent. Today is 2026-11-26. Be brief.")
NAMER = Message("system", "You write titles. Nothing else, no more than fifty characters.")
ASKED, TOLD = "How do I sort a list?", "With sorted().\nIt returns a new list."
CHAT = [SYSTEM, *turns(ASKED, TOLD)]


def user(text: str) -> Message:
    return Message("user", text)


TRANSCRIPTS = [
    f"### Task:\nTags?\n### Chat History:\n<chat_history>\nUSER: {ASKED}\nASSISTANT: {TOLD}\n</chat_history>",
    f"Name this talk.\n\nHuman: {ASKED}\n\nAI: {TOLD}",
    f"# USER\n{ASKED}\n\n# ASSISTANT\n{TOLD}\n\nSummarise, please.",
    f"为下面的对话起标题：\n用户：{ASKED}\n助手：{TOLD}",
    f"Title for: {json.dumps([m.to_json() for m in CHAT])}",
]


def say(store: Store, history: Sequence[Message], text: str, session: str | None = None) -> str:
    return store.sessions.record(
        session_id=session,
        user=None,
        history=history,
        answer=Message("assistant", text),
        response_id=f"r_{text}",
        version=BASE,
    )


def listed(store: Store) -> list[str]:
    return [session.id for session in store.sessions.all()]


@pytest.mark.parametrize("text", TRANSCRIPTS)
@pytest.mark.parametrize("by_id", ["its own", "the chat's", None])
def test_who_sends_a_transcript_asks_about_the_chat(store: Store, text: str, by_id: str | None) -> None:
    chat = say(store, CHAT[:-1], TOLD, "mine")
    session = {"its own": "title", "the chat's": "mine", None: None}[by_id]
    helper = say(store, [user(text)], "Sorting", session)
    assert helper not in (chat, "mine")
    assert store.sessions.get(helper).source == "helper"
    assert [m.content for m in store.sessions.get(helper).messages] == [text, "Sorting"]
    assert listed(store) == [chat]
    assert {s.id for s in store.sessions.all(helpers=True)} == {chat, helper}
    assert list(store.sessions.get(chat).messages) == CHAT
    assert say(store, [*CHAT, user("And backwards?")], "reverse=True", session and chat) == chat


@pytest.mark.parametrize("first", ["chat", "title"])
@pytest.mark.parametrize("cut", [["Generate a title for this conversation:\n", ASKED], [f"Title:\n{ASKED}"]])
def test_a_title_under_the_chats_own_id_is_asked_for_beside_the_first_answer(
    store: Store, first: str, cut: list[str]
) -> None:
    requests = {"chat": (CHAT[:-1], TOLD), "title": ([NAMER, *map(user, cut)], "Sorting")}
    for name in sorted(requests, key=lambda name: name != first):
        say(store, *requests[name], "mine")
    assert listed(store) == ["mine"]
    assert list(store.sessions.get("mine").messages) == CHAT
    (helper,) = [s for s in store.sessions.all(helpers=True) if s.id != "mine"]
    assert (helper.source, helper.messages[-1].content) == ("helper", "Sorting")
    assert store.sessions.of_response("r_Sorting") == helper.id


NOT_ABOUT_IT = [
    [SYSTEM, user(f"{ASKED} And a tuple?")],  # says more, quotes nothing
    [SYSTEM, user(f"I asked:\n{ASKED}\nPlease answer.")],  # the same system turn: only what is new is sent
    [Message("system", SYSTEM.content.replace("26", "27")), user(f"I asked:\n{ASKED}")],  # a clock
    [SYSTEM, user(f"You said: {TOLD}")],
    [SYSTEM, *turns(ASKED, TOLD, f"USER: {ASKED}\nASSISTANT: {TOLD}")],  # is part of the chat
    [user("Name this talk.")],
]


@pytest.mark.parametrize("history", NOT_ABOUT_IT)
def test_what_is_no_helper(store: Store, history: list[Message]) -> None:
    say(store, CHAT[:-1], TOLD, "mine")
    assert say(store, history, "Well", "mine") == "mine"
    assert store.sessions.get("mine").source == "api"
    assert [m.content for m in store.sessions.get("mine").messages][1:3] == [ASKED, TOLD]
    assert [s.source for s in store.sessions.all(helpers=True)] == ["api"]


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("hi, hello, are you there?", False),
        ("This is hi and that is hello", False),
        ("USER: hi\nASSISTANT: hello", True),
        ("USER: hi\nASSISTANT: hello there", False),
        ("USER: hi", False),
    ],
)
def test_short_texts_are_quoted_line_by_line(text: str, about: bool) -> None:
    assert asks_about_any([user(text)], [("hi", "hello")]) == about
    assert asks_about([user(text)], turns("hi", "hello")) == about


def test_a_long_answer_may_be_cut_in_the_transcript() -> None:
    long = "word " * 100
    assert asks_about_any([user(f"USER: hi\nASSISTANT: {long[:300]}...")], [("hi", long)])
    assert not asks_about_any([user(f"USER: hi\nASSISTANT: {long[:90]}...")], [("hi", long)])


def test_helpers_teach_nothing_and_guard_nothing(store: Store) -> None:
    say(store, CHAT[:-1], TOLD, "mine")
    helper = say(store, [user(TRANSCRIPTS[0])], "Sorting")
    store.feedback.signal(Signal("g1", helper, "r_Sorting", "accepted"))
    assert store.sessions.teaching() == []
    store.feedback.signal(Signal("g2", helper, "r_Sorting", "rejected"))
    assert store.sessions.unwanted() == []
    store.feedback.rate(Feedback("f", "mine", "good"))
    assert store.sessions.teaching() == ["mine"]


def test_who_goes_on_with_a_transcript_or_rates_it_has_read_it(store: Store) -> None:
    say(store, CHAT[:-1], TOLD, "mine")
    for name in ("talked", "rated"):
        say(store, [user(TRANSCRIPTS[1])], name, name)
    assert listed(store) == ["mine"]
    say(store, turns(TRANSCRIPTS[1], "talked", "shorter, please"), "ok", "talked")
    store.feedback.rate(Feedback("f", "rated", "good"))
    assert set(listed(store)) == {"mine", "talked", "rated"}
    assert store.sessions.teaching() == ["rated"]


def test_a_chat_that_was_judged_is_never_set_aside(store: Store) -> None:
    say(store, [NAMER, user(f"Title:\n{ASKED}")], "Sorting", "mine")
    store.feedback.rate(Feedback("f", "mine", "good"))
    say(store, CHAT[:-1], TOLD, "mine")
    assert [m.content for m in store.sessions.judged("mine").messages][1:] == [f"Title:\n{ASKED}", "Sorting"]
