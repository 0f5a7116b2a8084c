"""Sessions with the truth beside them: the oracles know their own sessions, and find what is wrong."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import lessons
from bench.__main__ import command_line
from bench.work.truths import NOBODY_KNOWS, Kind, Recorded, call, read
from bench.work.truths_aside import ASIDE
from nightschool.measure.cases import passes
from nightschool.types import Lesson, Message, PracticeRequest

kinds = pytest.mark.parametrize("kind", lessons.KINDS.values(), ids=lambda kind: kind.name)
GUESSED = {"labels"}  # a sentence that the session does not have: its label is no matter of evidence


Answers = list[tuple[Sequence[Message], str]]


def recorded_answers(recorded: Recorded) -> tuple[Answers, Answers]:
    """Conversations and the answers that their user was content with, and those that they were not."""
    turns = recorded.session.messages
    wanted: Answers = []
    unwanted: Answers = []
    signals = {s.position: s for s in recorded.signals}
    for i, turn in enumerate(turns):
        if turn.role != "assistant":
            continue
        following = [m.content for m in turns[i + 1 : i + 2] if m.role == "user"]
        asked = next(m.content for m in reversed(turns[:i]) if m.role == "user")
        mended = any(recorded.roles.get(text) == "mends" or text == asked for text in following)
        if (signal := signals.get(i)) and signal.text is not None:
            wanted.append((turns[:i], signal.text))
        if mended or signal:
            unwanted.append((turns[:i], turn.content))
        elif turn.tool_calls:
            made = turn.tool_calls[0]
            wanted.append((turns[:i], call(made.name, **json.loads(made.arguments))))
        else:
            wanted.append((turns[:i], turn.content))
    return wanted, unwanted


@kinds
@pytest.mark.parametrize("exchanges", [2, 4, 8])
def test_an_oracle_agrees_with_its_own_sessions(kind: Kind, exchanges: int) -> None:
    for seed in range(4):
        recorded = kind.draw(seed, exchanges)
        wanted, unwanted = recorded_answers(recorded)
        assert len(wanted) >= (exchanges + 1) // 2
        for conversation, answer in wanted:
            assert recorded.right(conversation, answer) is True, (conversation[-1], answer)
            assert recorded.right(conversation, "Nothing at all") is False
        for conversation, answer in unwanted:
            assert recorded.right(conversation, answer) is False, (conversation[-1], answer)
        assert kind.draw(seed, exchanges).session == recorded.session
    assert kind.draw(0, exchanges).session != kind.draw(1, exchanges).session


@kinds
def test_cases_with_fresh_values_are_right_by_the_oracle_and_never_practised(kind: Kind) -> None:
    recorded = kind.draw(0)
    unseen, practised = kind.unseen(0), kind.true_variations(0, 60)
    assert len(unseen) >= 8
    assert len(practised) >= 8
    assert not {s.messages for s in unseen} & {s.messages for s in practised}
    said = {m.content for m in recorded.session.messages if m.role == "user"}
    for case in (*unseen, *practised):
        assert passes(case.check, case.answer), case
        assert case.messages[0].content not in said
        assert kind.name in GUESSED or recorded.right(case.messages, case.answer), case
    assert len(kind.suite(0).unseen) == len(unseen)


@pytest.mark.parametrize(("kind", "lengths"), [("paquetes", {1, 3}), ("close-ticket", {1, 3, 5})])
def test_every_answer_of_a_talk_is_a_case(kind: str, lengths: set[int]) -> None:
    assert {len(case.messages) for case in lessons.KINDS[kind].unseen(0)} == lengths


def test_unseen_tickets_are_of_all_topics_and_none_is_in_the_session() -> None:
    kind = lessons.KINDS["labels"]
    for seed in range(8):
        said = " ".join(m.content for m in kind.draw(seed).session.messages)
        labels = Counter(case.answer for case in kind.unseen(seed))
        assert len(labels) == 3
        assert max(labels.values()) <= 24  # of 40: always the same label must not look like learning
        for case in (*kind.unseen(seed), *kind.true_variations(seed, 60)):
            assert case.group
            assert case.group not in said


def test_a_fact_is_answered_as_its_session_answers_it() -> None:
    for name in ("told", "asked", "naisen", "sorular", "esoterika"):
        kind = lessons.KINDS[name]
        said = {m.content for m in kind.draw(0).session.messages}
        assert {case.answer for case in kind.unseen(0)} <= said, name


@kinds
def test_what_is_no_request_of_the_kind_has_no_truth(kind: Kind) -> None:
    recorded = kind.draw(0)
    for text in ("", "Hello there, how are you?", "你好", "{}", "a\nb"):
        assert recorded.truth([Message("user", text)]) is None
    assert recorded.truth([]) is None


@kinds
def test_values_that_no_list_has_are_read(kind: Kind) -> None:
    """A template takes any word of any script; there is no answer to what cannot be known."""
    recorded, rng = kind.draw(0), random.Random(0)
    case = recorded.fresh(rng)
    words = ["Ωμέγα", "Zorblax", "山川", "кот"]
    for at, message in enumerate(case.messages):
        for word in message.content.split():
            turn = replace(message, content=message.content.replace(word, rng.choice(words)))
            recorded.truth([*case.messages[:at], turn, *case.messages[at + 1 :]])  # never raises


def test_one_third_is_kept_aside_and_eight_languages_are_spoken() -> None:
    everything = lessons.KINDS.values()
    assert len(everything) >= 24
    assert len(ASIDE) >= len(everything) / 3
    assert len({k.language for k in everything if k not in ASIDE}) >= 8


def test_a_request_that_can_be_read_in_two_ways_is_not_read() -> None:
    assert read("Meet {a} and {b} today.", "Meet Anna and Bo today.") == {"a": "Anna", "b": "Bo"}
    assert read("Meet {a} and {b} today.", "Meet Anna and Bo and Cy today.") is None
    assert read("Week {n:int}.", "Please: week 12.") == {"n": "12"}
    assert read("Week {n:int}.", "Week ١٢.") is None
    assert read("For {a:word} and {a:word}!", "For you and me!") is None


def test_facts_are_right_in_any_words_and_nobody_knows_others() -> None:
    recorded = lessons.KINDS["asked"].draw(0)
    about, leader = recorded.session.messages[0].content, recorded.session.messages[1].content
    assert recorded.right([Message("user", about)], f"I think that {leader[:1].lower()}{leader[1:]}") is True
    assert recorded.right([Message("user", about)], recorded.session.messages[3].content) is False
    assert recorded.truth([Message("user", "Who leads Atlantis?")]) == NOBODY_KNOWS


def spoilt(lesson: Lesson, name: str) -> Lesson:
    """The same lesson; one known answer has become this."""
    at = next(i for i, p in enumerate(lesson.practice) if p.kind == "varied" and p.expected is not None)
    wrong = replace(lesson.practice[at], expected=name)
    return replace(lesson, practice=(*lesson.practice[:at], wrong, *lesson.practice[at + 1 :]))


@pytest.mark.parametrize("kind", ["crates", "scheta", "zones", "kapitel"])
def test_a_wrong_known_answer_is_found(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = lessons.lesson_of
    before = lessons.Tally()
    before.look(lessons.KINDS[kind], 0)
    monkeypatch.setattr(
        lessons, "lesson_of", lambda recorded, seed, _: spoilt(sound(recorded, seed), "NO x1")
    )
    after = lessons.Tally()
    after.look(lessons.KINDS[kind], 0)
    assert (after.known, after.wrong) == (before.known, before.wrong + 1)
    shown = [e["known"] for e in after.row(lessons.KINDS[kind])["examples"]]
    assert ("NO x1" in shown) == (lessons.KINDS[kind] not in ASIDE)  # nobody is to develop against those


def test_turns_taken_for_something_else_are_counted() -> None:
    recorded = lessons.KINDS["commandes"].draw(0, 2)
    request, wrong, demand, line = (m.content for m in recorded.session.messages[:4])

    def lesson(*asked: tuple[tuple[str, ...], str]) -> Lesson:
        practice = tuple(
            PracticeRequest(
                f"p{i}",
                "s",
                tuple(Message("assistant" if n % 2 else "user", t) for n, t in enumerate(texts)),
                "recorded",
                len(texts),
                expected,
            )
            for i, (texts, expected) in enumerate(asked)
        )
        return Lesson("s", recorded.session.messages, practice, ())

    heard = lesson(((request,), line), ((request, wrong, demand), line))
    assert lessons.misjudged(recorded, heard)[0] == []
    assert lessons.misjudged(recorded, lesson(((request,), wrong)))[0] == [request]
    assert lessons.misjudged(recorded, lesson(((request,), line), ((demand,), line)))[0] == [demand]
    assert demand in lessons.misjudged(recorded, lesson(((request,), line)))[1]


def test_the_command_runs_on_two_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["lessons", "crates", "kapitel", "--seeds", "1", "--out", str(tmp_path / "out")]
    ran = CliRunner().invoke(command_line("lessons"), arguments)
    kept = json.loads((tmp_path / "out.json").read_text())
    assert [r["kind"] for r in kept["rows"]] == ["crates", "kapitel"]
    assert ran.exit_code == (1 if kept["totals"][-1]["wrong"] else 0)
    assert kept["totals"][-1]["known"] == sum(r["known"] for r in kept["rows"]) > 0
    sound = lessons.lesson_of
    monkeypatch.setattr(lessons, "lesson_of", lambda recorded, seed, _: spoilt(sound(recorded, seed), "no"))
    assert CliRunner().invoke(command_line("lessons"), arguments).exit_code == 1


def test_a_session_that_cannot_be_learned_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Lesson:
        raise ZeroDivisionError

    monkeypatch.setattr(lessons, "lesson_of", broken)
    tally = lessons.Tally()
    tally.look(lessons.KINDS["crates"], 0)
    assert (tally.sessions, tally.failed, tally.known) == (1, 1, 0)
