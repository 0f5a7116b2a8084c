"""One night: from sessions that were liked to new weights that go live, or a verdict why not.

    collect   liked sessions that the live version has not learned
    prepare   each session becomes a lesson: practice, and practice that is held back
    encode    the session's key-value cache once; what is right on each held-back request
    learn     on-policy self-distillation, anchored; stops on held-back practice
    judge     the gate, on probes that neither trained nor steered anything
    keep      an immutable version with its provenance
    promote   one database row; the running server follows

Every stage either is a function of the plan (same seed, same result) or leaves a checkpoint, so a night
that was killed goes on where it was. The live version is untouched until the last line.
"""

from __future__ import annotations

import os
import resource
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nightschool import __version__
from nightschool.config import Config
from nightschool.errors import DreamError, Interrupted, NightschoolError, NothingToLearn, StoreError
from nightschool.gate.drift import Drift
from nightschool.gate.probes import Probe, answers, passed
from nightschool.gate.verdict import judge
from nightschool.learn import losses, trainer
from nightschool.learn.anchors import AnchorPool
from nightschool.learn.drills import Course, Drill, course
from nightschool.learn.opsd import OPSD
from nightschool.learn.trainer import STUDENT, StepReport
from nightschool.lessons.anchors import practice_anchors, probe_anchors
from nightschool.lessons.build import build_lesson
from nightschool.models import lora
from nightschool.models.base import GenerateRequest, Sampling, generate
from nightschool.models.hf import HFModel
from nightschool.store import Store
from nightschool.types import BASE, Lesson, Message, Verdict, Version
from nightschool.versions import files

STEM = "nightschool"
REHEARSED = 32  # practice requests of a lesson that later nights use as anchors
ATTEST_TOLERANCE = 0.1  # nats, mean over tokens: bfloat16 in batches of other shapes gives about 0.02


@dataclass(frozen=True)
class Plan:
    """What a night is a function of."""

    id: str
    sessions: tuple[str, ...]
    parent: str  # the live version when it began
    config: Config


@dataclass(frozen=True)
class Outcome:
    """How a night ended; times in seconds, memory in bytes."""

    dream_id: str
    verdict: Verdict
    version: str | None
    seconds: float
    numbers: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "dream": self.dream_id,
            "status": "promoted" if self.version else "rejected",
            "version": self.version,
            "verdict": self.verdict.to_json(),
            "seconds": round(self.seconds, 1),
            **self.numbers,
        }


@dataclass(frozen=True)
class Classroom:
    """One lesson, encoded: its course, and the probes that steer the training and those of the gate."""

    lesson: Lesson
    course: Course
    steer: tuple[Probe, ...]
    gate: tuple[Probe, ...]
    ceiling: (
        float | None
    )  # share of probes with a known answer that the teacher, session in context, gets right


Stage = Callable[[str], None]


def dream(
    model: HFModel,
    store: Store,
    home: Path,
    plan: Plan,
    *,
    report: trainer.Report = lambda _: None,
    stage: Stage = lambda _: None,
) -> Outcome:
    """Run one night after `resume_or_start`.

    Raises DreamError (a session is too long) and Interrupted (a full disk, a damaged version, ...), after
    which the same night can go on.
    """
    started = time.perf_counter()
    folder = home / "dreams" / plan.id
    try:
        stage("reading sessions")
        load_live(model, store, plan.parent)
        lessons = [prepare(store, session_id, plan.config) for session_id in plan.sessions]

        stage("asking the teacher")
        rooms = [encode(model, lesson, plan) for lesson in lessons]
        earlier = earlier_lessons(store, plan)
        anchors = anchor_pool(model, plan, earlier)

        stage("dreaming")
        student = start_adapter(model, plan)
        progress = learn(model, plan, rooms, anchors, student, folder, store, report)

        stage("at the gate")
        verdict, numbers = examine(model, plan, rooms, earlier)
        numbers |= {"steps": progress.best_step, "sampled_tokens": progress.tokens}

        version = None
        if verdict.promote:
            stage("going live")
            version = keep(model, store, home, plan, rooms, student, verdict)
            promote(store, plan, version)
    except (DreamError, MemoryError) as e:
        store.update_dream(plan.id, status="failed", error=str(e))
        raise
    except (NightschoolError, OSError, KeyboardInterrupt) as e:
        reason = files.disk_message(e, folder) if isinstance(e, OSError) else str(e) or "stopped"
        with suppress(StoreError):  # the disk may be full for the store, too
            store.update_dream(plan.id, status="interrupted", error=reason)
        if isinstance(e, KeyboardInterrupt):
            raise
        raise Interrupted(f"{reason}; `nightschool dream` goes on where it was") from e
    status = "promoted" if version else "rejected"
    store.update_dream(plan.id, status=status, verdict=verdict.to_json(), version=version)
    shutil.rmtree(folder, ignore_errors=True)
    numbers["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Outcome(plan.id, verdict, version, time.perf_counter() - started, numbers)


# Collect


def resume_or_start(store: Store, config: Config, wanted: Sequence[str]) -> Plan:
    """The plan of a night that was cut off, if it was for the same sessions and live version, else a new one:
    for the `wanted` sessions, or for all liked ones that are not learned yet. Call it while `store.dreaming`.

    Raises NothingToLearn and NotFound.
    """
    live = store.live()
    for row in store.dreams():
        if row["status"] not in ("running", "interrupted"):
            continue
        same = not wanted or set(row["sessions"]) == set(wanted)
        if same and row["parent"] == live and all(store.session(s).rating == "good" for s in row["sessions"]):
            store.update_dream(row["id"], status="running", pid=os.getpid(), error=None)
            return Plan(row["id"], tuple(row["sessions"]), live, Config.model_validate(row["config"]))
        store.update_dream(row["id"], status="failed", error="was cut off, and what it was for has changed")
    sessions = tuple(wanted) if wanted else pending(store, live)
    if not sessions:
        raise NothingToLearn(
            "nothing to learn: no liked session is new (`nightschool good SESSION` likes one)"
        )
    for session_id in sessions:
        if store.session(session_id).rating != "good":
            raise NothingToLearn(f"session {session_id} is not liked: `nightschool good {session_id}` first")
    plan = Plan(f"d_{uuid.uuid4().hex[:12]}", sessions, live, config)
    store.start_dream(plan.id, sessions=sessions, parent=live, config=config.model_dump(), pid=os.getpid())
    return plan


def pending(store: Store, live: str) -> tuple[str, ...]:
    """Liked sessions, oldest first, that no version in the live one's lineage has learned."""
    learned = {s for version in store.lineage(live) for s in version.sessions}
    liked = [s.id for s in store.sessions() if s.rating == "good" and s.id not in learned]
    return tuple(reversed(liked))


def tried(store: Store) -> bool:
    """Whether a dream of all that is pending, from the same live version, was rejected or failed."""
    live = store.live()
    wanted = set(pending(store, live))
    return any(
        row["status"] in ("rejected", "failed") and row["parent"] == live and set(row["sessions"]) == wanted
        for row in store.dreams()
    )


# Prepare and encode


def load_live(model: HFModel, store: Store, live: str) -> None:
    """Load the live version, verified. Raises VersionError."""
    if live != BASE:
        directory = Path(store.version(live).path)
        files.verify(directory)
        model.load(live, directory)


def prepare(store: Store, session_id: str, config: Config) -> Lesson:
    """The lesson of a session as it was judged; a function of what was said and the seed."""
    learn = config.learn
    return build_lesson(
        store.judged(session_id), seed=learn.seed, variations=learn.variations, held_back=learn.held_back
    )


def encode(model: HFModel, lesson: Lesson, plan: Plan) -> Classroom:
    """Compute the session's cache once. Where no right answer is known, the teacher's own is taken for right:
    practice and probes of both kinds are the same to all that follows."""
    taught = course(model, lesson, [*lesson.practice, *lesson.held_back], plan.parent)
    known = [d for d in taught.drills if d.answer is not None]
    unknown = [d for d in taught.drills if d.answer is None]
    sampling = Sampling(plan.config.learn.max_new_tokens)
    prompts = [GenerateRequest(d.teacher, sampling, plan.parent) for d in unknown]
    said = dict(zip((d.id for d in unknown), generate(model, prompts, prefix=taught.prefix), strict=True))

    def practised(drill: Drill) -> Drill:
        own = said.get(drill.id)
        return replace(drill, answer=tuple(own.tokens)) if own and own.finish == "stop" else drill

    held = {r.id for r in lesson.held_back}
    probes = [
        Probe(d.id, d.student, d.answer or tuple(said[d.id].tokens)) for d in taught.drills if d.id in held
    ]
    asked = [(d.teacher, d.answer) for d in known if d.id in held and d.answer]
    right = model.agrees(asked, plan.parent, taught.prefix) if asked else []
    return Classroom(
        lesson,
        Course(
            lesson.session_id, taught.prefix, tuple(practised(d) for d in taught.drills if d.id not in held)
        ),
        steer=tuple(probes[0::2]),
        gate=tuple(probes[1::2]),
        ceiling=sum(right) / len(right) if right else None,
    )


def earlier_lessons(store: Store, plan: Plan) -> list[dict[str, Any]]:
    """What each version in the live one's lineage wrote down of its lessons, except those learned again."""
    found: dict[str, dict[str, Any]] = {}
    for version in store.lineage(plan.parent):
        for entry in files.read_json(Path(version.path) / files.LESSONS):
            found[entry["session"]] = entry
    return [entry for session, entry in found.items() if session not in plan.sessions]


def anchor_pool(model: HFModel, plan: Plan, earlier: Sequence[dict[str, Any]]) -> AnchorPool:
    """General requests, and the practice of earlier lessons, answered by the live version."""
    general = [general_prompt(model, text) for text in practice_anchors()]
    rehearsal = [[tuple(p) for p in entry["practice"]] for entry in earlier]
    return AnchorPool(model, plan.parent, [general, *rehearsal], max_tokens=32, seed=plan.config.learn.seed)


def general_prompt(model: HFModel, text: str) -> tuple[int, ...]:
    return tuple(model.encode([Message("user", text)]))


# Learn


def start_adapter(model: HFModel, plan: Plan) -> lora.Adapter:
    """The student begins as the live version, or as a fresh adapter on the base model."""
    live = model.adapter(plan.parent)
    return live.copy() if live else model.fresh_adapter(plan.config.learn.rank, plan.config.learn.seed)


def learn(
    model: HFModel,
    plan: Plan,
    rooms: Sequence[Classroom],
    anchors: AnchorPool,
    student: lora.Adapter,
    folder: Path,
    store: Store,
    report: trainer.Report,
) -> trainer.Progress:
    """Train the student; measured on the probes that steer."""
    config = plan.config.learn
    rule = OPSD(
        model,
        teacher_version=plan.parent,
        divergence=losses.divergence(config.divergence, config.top_k),
        config=config,
    )
    steer = [probe for room in rooms for probe in room.steer]

    def measure() -> float:
        right = passed(model, steer, STUDENT)
        return sum(right) / len(right) if right else 0.0

    def tell(step: StepReport) -> None:
        store.update_dream(plan.id, progress=vars(step))
        report(step)

    return trainer.train(
        model,
        rule,
        [room.course for room in rooms if room.course.drills],
        anchors,
        student,
        config,
        measure=measure,
        report=tell,
        folder=folder,
    )


# Judge


def examine(
    model: HFModel, plan: Plan, rooms: Sequence[Classroom], earlier: Sequence[dict[str, Any]]
) -> tuple[Verdict, dict[str, Any]]:
    """Measure live and candidate on the gate's probes; the verdict and what else is worth reporting."""

    def both(probes: Sequence[Probe]) -> tuple[list[bool], list[bool]]:
        return passed(model, probes, plan.parent), passed(model, probes, STUDENT)

    drift = Drift(model, [general_prompt(model, text) for text in probe_anchors()])
    verdict = judge(
        plan.config.gate,
        new={room.lesson.session_id: both(room.gate) for room in rooms},
        earlier={e["session"]: both([Probe.from_json(p) for p in e["probes"]]) for e in earlier},
        kl_to_base=drift(STUDENT),
    )
    return verdict, {"ceiling": {room.lesson.session_id: room.ceiling for room in rooms}}


# Keep and promote


def keep(
    model: HFModel,
    store: Store,
    home: Path,
    plan: Plan,
    rooms: Sequence[Classroom],
    student: lora.Adapter,
    verdict: Verdict,
) -> str:
    """Write the version and list it; it is not live yet."""
    name = store.next_version(STEM)

    def fill(directory: Path) -> None:
        lora.save(student, directory, model.name)
        files.write_json(directory / files.LESSONS, [_lesson_entry(room) for room in rooms])
        files.write_json(directory / files.ATTEST, attestation(model, rooms))

    provenance = {
        "nightschool": __version__,
        "model": model.name,
        "parent": plan.parent,
        "dream": plan.id,
        "sessions": list(plan.sessions),
        "config": plan.config.model_dump(),
        "seed": plan.config.learn.seed,
        "verdict": verdict.to_json(),
    }
    path = files.write(home, name, fill, provenance)
    store.add_version(Version(name, plan.parent, str(path), plan.sessions, plan.id))
    return name


def _lesson_entry(room: Classroom) -> dict[str, Any]:
    return {
        "session": room.lesson.session_id,
        "probes": [probe.to_json() for probe in room.gate],
        "practice": [list(drill.student) for drill in room.course.drills[:REHEARSED]],
    }


def attestation(model: HFModel, rooms: Sequence[Classroom]) -> dict[str, Any]:
    """What the student says, and how surely: a server that answers with other weights will not agree."""
    probes = [probe for room in rooms for probe in room.gate[:4]]
    prompts = [p.prompt for p in probes] + [general_prompt(model, t) for t in probe_anchors()[:2]]
    said = [list(p.answer) for p in probes]
    said += [model.encode_answer(a) for a in answers(model, prompts[len(probes) :], STUDENT, 16)]
    logprobs = model.score(list(zip(prompts, said, strict=True)), STUDENT)
    cases = [
        {"prompt": list(p), "tokens": s, "logprobs": lp}
        for p, s, lp in zip(prompts, said, logprobs, strict=True)
    ]
    return {"tolerance": ATTEST_TOLERANCE, "cases": cases}


def promote(store: Store, plan: Plan, version: str) -> None:
    """Move the live pointer, unless somebody else moved it meanwhile. Raises StoreError."""
    store.set_live(version, expect=plan.parent)
