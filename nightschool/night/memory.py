"""What defends earlier lessons, and what a version writes down of a lesson for later nights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightschool.engines.base import Engine
from nightschool.errors import VersionError
from nightschool.learn.encoding import EncodedLesson
from nightschool.learn.examples import answered
from nightschool.lessons.contradictions import contradicts, related
from nightschool.lessons.exchanges import standalone, threads
from nightschool.lessons.feedback import unwanted_answers
from nightschool.measure.probes import passed
from nightschool.night.queue import Plan
from nightschool.seeds import in_turns
from nightschool.store import Store
from nightschool.types import Message, Probe
from nightschool.versions import files

FORMAT = 1  # of lessons.json; files of before it had a number are read as 1
REHEARSED = 32  # practice requests of a lesson that later nights rehearse
ANSWER = 64  # tokens of the answer that is compared with an earlier check


@dataclass(frozen=True)
class LearnedLesson:
    """What a version remembers of one session."""

    session: str
    probes: tuple[Probe, ...] = ()  # the gate's
    steering: tuple[Probe, ...] = ()  # decide when later dreams stop
    practice: tuple[Probe, ...] = ()  # rehearsed by later dreams
    retired: tuple[dict[str, Any], ...] = ()  # earlier checks that this session contradicts

    @classmethod
    def of(cls, lesson: EncodedLesson, retired: Sequence[dict[str, Any]]) -> LearnedLesson:
        """What to remember of a lesson that was learned tonight."""
        session = lesson.lesson.session_id
        examples = [example for one in lesson.sets for example in one.examples if example.kind != "replayed"]
        return cls(
            session,
            probes=tuple(lesson.gate),
            steering=tuple(lesson.steer),
            practice=tuple(example.probe(example.answer or ()) for example in examples[:REHEARSED]),
            retired=tuple(record for record in retired if record["by"] == session),
        )

    def without(self, ids: set[str]) -> LearnedLesson:
        """Without the probes that are retired."""

        def still(probes: Sequence[Probe]) -> tuple[Probe, ...]:
            return tuple(probe for probe in probes if probe.id not in ids)

        return LearnedLesson(
            self.session, still(self.probes), still(self.steering), still(self.practice), self.retired
        )

    @property
    def all_probes(self) -> list[Probe]:
        return [*self.probes, *self.steering, *self.practice]

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "session": self.session,
            "probes": [probe.to_json() for probe in self.probes],
            "steer": [probe.to_json() for probe in self.steering],
            "practice": [probe.to_json() for probe in self.practice],
            "retired": list(self.retired),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LearnedLesson:
        """Raises VersionError for a format of a later release."""
        if data.get("format", FORMAT) != FORMAT:
            raise VersionError(f"lessons of format {data['format']} need a newer release of nightschool")
        probes, steering, practice = (
            tuple(Probe.from_json(probe) for probe in data.get(part, ()))  # the oldest have no `steer`
            for part in ("probes", "steer", "practice")
        )
        return cls(data["session"], probes, steering, practice, tuple(data["retired"]))


def write(lessons: Sequence[LearnedLesson], directory: Path) -> None:
    """Write the lessons into a version's directory."""
    files.write_json(directory / files.LESSONS, [lesson.to_json() for lesson in lessons])


def read(directory: Path) -> list[LearnedLesson]:
    """A version's lessons. Raises VersionError where they are missing, damaged or of a later release."""
    return [LearnedLesson.from_json(entry) for entry in files.read_json(directory / files.LESSONS)]


@dataclass(frozen=True)
class Memory:
    """The lessons of the live version's lineage, and the records of what tonight's sessions contradict."""

    earlier: list[LearnedLesson]
    retired: list[dict[str, Any]]


def remember(model: Engine, store: Store, plan: Plan, lessons: Sequence[EncodedLesson]) -> Memory:
    """Read what each version of the live one's lineage wrote down of its lessons, without those that are
    learned again tonight and without checks that newer sessions contradict."""
    found: dict[str, LearnedLesson] = {}
    over: set[str] = set()
    for version in store.versions.lineage(plan.parent):
        for lesson in read(Path(version.path)):
            found[lesson.session] = lesson
            over |= {record["id"] for record in lesson.retired}
    kept = [lesson for session, lesson in found.items() if session not in plan.sessions]
    probes = [probe for lesson in kept for probe in lesson.all_probes]
    retired = [record for lesson in lessons for record in _contradicted(model, plan.parent, lesson, probes)]
    over |= {record["id"] for record in retired}
    return Memory([lesson.without(over) for lesson in kept], retired)


def _contradicted(
    model: Engine, live: str, lesson: EncodedLesson, probes: Sequence[Probe]
) -> list[dict[str, Any]]:
    """A record of each earlier check that a new session contradicts: its request, what was right (`was`), and
    what the model says with the session in its context (`now`)."""
    out: dict[str, dict[str, Any]] = {}
    for part in lesson.parts:
        context = part.context
        exchanges = [e for thread in threads(context)[0] for e in standalone(context, thread)]
        doubtful = [p for p in probes if related(p.text, context)]
        texts = list(dict.fromkeys(p.text for p in doubtful))
        asked = [[Message("user", text)] for text in texts]
        answers = dict(zip(texts, answered(model, part, asked, live, ANSWER), strict=True))
        for probe in doubtful:
            was, now = model.decode(probe.answer).strip(), answers[probe.text]
            if contradicts(probe.text, was, now, context, exchanges):
                record = {"id": probe.id, "request": probe.text, "was": was, "now": now}
                out[probe.id] = {**record, "by": lesson.lesson.session_id}
    return list(out.values())


def steering_probes(model: Engine, live: str, lessons: Sequence[Sequence[Probe]], count: int) -> list[Probe]:
    """Up to `count` probes of earlier lessons that the live version gets right, equally many of each lesson;
    more than `count` where that would be fewer than two of each, or a lesson could be lost unseen."""
    count = max(count, 2 * len(lessons))
    looked_at = in_turns(lessons)[: 2 * count]
    right = passed(model, looked_at, live)
    return [probe for probe, is_right in zip(looked_at, right, strict=True) if is_right][:count]


def guards(model: Engine, store: Store, scope: str) -> dict[str, list[Probe]]:
    """Answers that nobody wants, by session: the candidate must not begin to give them."""
    found = {}
    for session in store.sessions.unwanted(scope):
        wrong = unwanted_answers(session, store.feedback.signals(session.id))
        found[session.id] = [
            Probe(
                f"{session.id}/bad{i}",
                tuple(model.encode(before, session.tools)),
                tuple(model.encode_answer(answer)),
            )
            for i, (before, answer) in enumerate(wrong)
        ]
    return {session_id: probes for session_id, probes in found.items() if probes}
