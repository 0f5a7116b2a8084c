"""What a night takes for a lesson, and what it remembers of earlier ones."""

from pathlib import Path
from typing import Any

import pytest

from nightschool.config import Config, LearnConfig
from nightschool.engines.scripted import EOS, ScriptedModel
from nightschool.errors import NothingToLearn, VersionError
from nightschool.learn.encoding import EncodedLesson
from nightschool.lessons.feedback import apply_feedback
from nightschool.lessons.prepare import heard, prepare
from nightschool.night import memory
from nightschool.night.memory import LearnedLesson, guards, remember, steering_probes
from nightschool.night.queue import Plan, pending, resume_or_start
from nightschool.store import Store
from nightschool.types import BASE, SHARED, Feedback, Lesson, Message, Probe, Session, Signal
from nightschool.versions import files
from tests.helpers import promote

CONFIG = Config(learn=LearnConfig(variations=4, held_back=2))


def answer(store: Store, name: str, request: str, text: str) -> str:
    """One recorded request and its answer; the response's id."""
    store.sessions.record(
        session_id=name,
        user=None,
        history=[Message("user", request)],
        answer=Message("assistant", text),
        response_id=f"r_{name}",
        version=BASE,
    )
    return f"r_{name}"


def lessons_of(store: Store, *sessions: str) -> list[Lesson]:
    judged = [(store.sessions.judged(s), store.feedback.signals(s)) for s in sessions]
    return [prepare(one, CONFIG) for one in heard(judged)]


def test_answers_that_were_accepted_or_edited_are_lessons_too(store: Store) -> None:
    accepted = answer(store, "a", "Pay INV-20 to Acme Ltd.", "Acme Ltd: INV-20")
    edited = answer(store, "b", "Pay INV-31 to Bell Ltd.", "INV-31")
    rejected = answer(store, "c", "Pay INV-42 to Cole Ltd.", "INV-42")
    assert pending(store, BASE) == []
    store.feedback.signal(Signal("f1", "a", accepted, "accepted"))
    store.feedback.signal(Signal("f2", "b", edited, "edited", text="Bell Ltd: INV-31"))
    store.feedback.signal(Signal("f3", "c", rejected, "rejected"))
    assert set(pending(store, BASE)) == {"a", "b"}
    (lesson,) = lessons_of(store, "a", "b")
    known = {p.expected for p in lesson.practice if p.kind == "recorded"}
    assert known == {"Acme Ltd: INV-20", "Bell Ltd: INV-31"}


def test_a_bad_session_teaches_only_with_a_reason(store: Store) -> None:
    answer(store, "a", "Pay INV-20 to Acme Ltd.", "Acme Ltd: INV-20")
    store.feedback.rate(Feedback("f1", "a", "bad"))
    assert pending(store, BASE) == []
    with store.dreams.lock(), pytest.raises(NothingToLearn):
        resume_or_start(store, Config(), ())
    store.feedback.rate(Feedback("f2", "a", "bad", "the number comes first"))
    assert pending(store, BASE) == ["a"]
    (lesson,) = lessons_of(store, "a")
    assert lesson.context[-2].content == "That was not right: the number comes first"
    assert {p.expected for p in lesson.practice} == {None}


def test_what_nobody_wants_guards_the_next_night(store: Store) -> None:
    model = ScriptedModel(lambda prompt, version: "x")
    answer(store, "a", "Pay INV-20 to Acme Ltd.", "Acme Ltd: INV-20")
    assert guards(model, store, SHARED) == {}
    store.feedback.rate(Feedback("f1", "a", "bad"))
    (probe,) = guards(model, store, SHARED)["a"]
    assert model.decode(probe.prompt).startswith("user: Pay INV-20")
    assert model.decode(probe.answer) == "Acme Ltd: INV-20"


WAS, NOW = "Staging runs on heron-42.", "Staging runs on kestrel-7."


def version(store: Store, home: Path, name: str, parent: str, entry: dict[str, Any]) -> None:
    path = files.write(home, name, lambda d: files.write_json(d / files.LESSONS, [entry]), {})
    promote(store, name, parent, path, (entry["session"],))


def probe(id: str, text: str, said: str) -> dict[str, Any]:
    return Probe(id, tuple(map(ord, text)), (*map(ord, said), EOS), text).to_json()


def classroom(*turns: str) -> EncodedLesson:
    roles = ("user", "assistant")
    messages = tuple(Message(roles[i % 2], t) for i, t in enumerate(turns))  # type: ignore[arg-type]
    lesson = prepare(apply_feedback(Session("new", messages, rating="good")), CONFIG)
    return EncodedLesson(lesson, (lesson,), (), (), (), None, (), ())


def plan(parent: str) -> Plan:
    return Plan("d", ("new",), parent, Config())


def test_a_newer_session_retires_the_checks_that_it_contradicts(store: Store, home: Path) -> None:
    asked, other = "Which host is staging on?", "Which host is production on?"
    entry = {
        "session": "old",
        "probes": [probe("old/h0", asked, WAS), probe("old/h1", other, "Production runs on wren-1.")],
        "steer": [probe("old/h2", asked, WAS)],
        "practice": [probe("old/r0", asked, WAS), probe("old/r1", other, "Production runs on wren-1.")],
        "retired": [],
    }
    version(store, home, "v@1", BASE, entry)

    def script(prompt: str, _: str) -> str:
        return NOW if "kestrel-7" in prompt and "staging on?" in prompt else "Production runs on wren-1."

    model = ScriptedModel(script)
    for name in ("v@1", "v@2"):
        model.load(name, home)
    room = classroom("Staging has moved to host kestrel-7.", "Understood.")
    found = remember(model, store, plan("v@1"), [room])
    (kept,), retired = found.earlier, found.retired
    assert [r["id"] for r in retired] == ["old/h0", "old/h2", "old/r0"]
    assert retired[0] == {"id": "old/h0", "request": asked, "was": WAS, "now": NOW, "by": "new"}
    assert [p.id for p in kept.probes] == ["old/h1"]
    assert [p.id for p in kept.steering] == []  # nor does it steer
    assert [p.id for p in kept.practice] == ["old/r1"]  # nor is the old answer rehearsed

    # What was retired stays so in the nights after.
    newer = {"session": "new", "probes": [], "practice": [], "retired": retired}  # of before `steer`
    version(store, home, "v@2", "v@1", newer)
    unrelated = classroom("Good morning.", "Good morning.")
    later = remember(model, store, Plan("d", ("third",), "v@2", Config()), [unrelated])
    assert later.retired == []
    assert [p.id for p in later.earlier[0].probes] == ["old/h1"]


def test_a_dream_is_steered_by_what_is_known_of_every_earlier_lesson() -> None:
    model = ScriptedModel(lambda prompt, _: prompt.removeprefix("say "))

    def lesson(name: str, *said: str) -> list[Probe]:
        return [Probe.from_json(probe(f"{name}{i}", f"say {s[0]}", s)) for i, s in enumerate(said)]

    # Two are not known: 5x and 7x.
    earlier = [lesson("a", "1", "2", "3"), lesson("b", "4", "5x", "6"), lesson("c", "7x")]
    assert [p.id for p in steering_probes(model, BASE, earlier[:1], 2)] == ["a0", "a1"]
    two_of_each = ["a0", "b0", "a1", "a2", "b2"]  # as far as they are known
    assert [p.id for p in steering_probes(model, BASE, earlier, 1)] == two_of_each
    assert [p.id for p in steering_probes(model, BASE, earlier, 9)] == two_of_each
    assert steering_probes(model, BASE, [], 9) == []


def test_a_lesson_is_read_as_it_was_written(tmp_path: Path) -> None:
    lesson = LearnedLesson(
        "s", (Probe("a", (1,), (2,), "t"),), (), (Probe("b", (3,), (4, 5)),), ({"id": "x"},)
    )
    memory.write([lesson], tmp_path)
    assert memory.read(tmp_path) == [lesson]
    (entry,) = files.read_json(tmp_path / files.LESSONS)
    assert entry["format"] == memory.FORMAT
    files.write_json(tmp_path / files.LESSONS, [{**entry, "format": memory.FORMAT + 1}])
    with pytest.raises(VersionError, match="newer release"):
        memory.read(tmp_path)
