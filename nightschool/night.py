"""One night: from sessions that were liked to new weights that go live, or a verdict why not.

    collect   liked sessions that the live version has not learned, bad ones that somebody commented on, and
              answers that were accepted or edited
    prepare   each becomes a lesson: practice, and practice that is held back
    encode    the session's key-value cache once; what the teacher is better at is practised
    remember  what earlier lessons are defended with, but for what the new sessions say otherwise
    learn     a learning rule (on-policy self-distillation), anchored; stops on held-back practice, and goes
              back towards the live version as far as none of it is lost
    judge     the gate, on probes that neither trained nor steered anything
    keep      an immutable version with its provenance
    promote   one database row; the running server follows

Every stage either is a function of the plan (same seed, same result) or leaves a checkpoint, so a night
that was killed goes on where it was. The live version is untouched until the last line.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from nightschool import __version__
from nightschool.config import Config, LearnConfig
from nightschool.engines.base import Engine, Text, answers
from nightschool.errors import DreamError, Interrupted, NightschoolError, NothingToLearn, StoreError
from nightschool.gate.drift import Drift
from nightschool.gate.probes import passed
from nightschool.gate.verdict import judge
from nightschool.learn import trainer
from nightschool.learn.anchors import AnchorPool, Rehearsal, in_turns, shuffled
from nightschool.learn.bakeoff import bakeoff
from nightschool.learn.classroom import Classroom, encode
from nightschool.learn.drills import answered
from nightschool.learn.interpolate import go_back
from nightschool.learn.rules import RULES
from nightschool.learn.rules.common import Teaching
from nightschool.learn.trainer import STUDENT, StepReport
from nightschool.lessons.anchors import practice_anchors, probe_anchors
from nightschool.lessons.build import build_lesson
from nightschool.lessons.contradictions import contradicts, related
from nightschool.lessons.exchanges import alone, tasks
from nightschool.lessons.feedback import Heeded, heed, together
from nightschool.lessons.feedback import guards as unwanted
from nightschool.models import lora
from nightschool.models.hf import HFModel
from nightschool.store import Store
from nightschool.types import BASE, Lesson, Message, Probe, Session, Verdict, Version
from nightschool.versions import files

STEM = "nightschool"
PARTS = ("probes", "steer", "practice")  # of what a version writes down of a lesson
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
        lessons = prepare(store, plan.sessions, plan.config.learn)

        stage("asking the teacher")
        rooms = [encode(model, lesson, plan.parent, plan.config.learn) for lesson in lessons]
        store.update_dream(plan.id, lessons={r.lesson.session_id: r.report() for r in rooms})
        earlier, retired = remember(model, store, plan, rooms)

        stage("dreaming")
        student = start_adapter(model, plan)
        progress = learn(model, plan, rooms, earlier, student, folder, store, report)

        stage("at the gate")
        verdict = examine(model, plan, rooms, earlier, guards(model, store))
        numbers = {
            "steps": progress.best_step,
            "share": progress.share,
            "sampled_tokens": progress.tokens,
            "ceiling": {room.lesson.session_id: room.ceiling for room in rooms},
            "retired": retired,
        }

        version = None
        if verdict.promote:
            stage("going live")
            version = keep(model, store, home, plan, rooms, student, verdict, retired)
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
        if same and row["parent"] == live and all(teaches(store, store.session(s)) for s in row["sessions"]):
            store.update_dream(row["id"], status="running", pid=os.getpid(), error=None)
            return Plan(row["id"], tuple(row["sessions"]), live, Config.model_validate(row["config"]))
        store.update_dream(row["id"], status="failed", error="was cut off, and what it was for has changed")
    sessions = tuple(wanted) if wanted else pending(store, live)
    if not sessions:
        raise NothingToLearn(
            "nothing to learn: no liked session is new (`nightschool good SESSION` likes one)"
        )
    for session_id in sessions:
        if not teaches(store, store.session(session_id)):
            raise NothingToLearn(f"session {session_id} is not liked: `nightschool good {session_id}` first")
    plan = Plan(f"d_{uuid.uuid4().hex[:12]}", sessions, live, config)
    store.start_dream(plan.id, sessions=sessions, parent=live, config=config.model_dump(), pid=os.getpid())
    return plan


def pending(store: Store, live: str) -> tuple[str, ...]:
    """Sessions that teach something, oldest first, that no version in the live one's lineage has learned."""
    learned = {s for version in store.lineage(live) for s in version.sessions}
    new = [s.id for s in store.sessions() if s.id not in learned and teaches(store, s)]
    return tuple(reversed(new))


def teaches(store: Store, session: Session) -> bool:
    """Whether a session is liked, or bad for a reason that was given, or unrated with answers that were
    accepted, edited, or rejected for a reason."""
    if session.rating is None:
        signals = [s for s in store.signals(session.id) if s.position is not None]
        return any(s.kind != "rejected" or s.comment for s in signals)
    return session.rating == "good" or bool(session.comment)


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


def prepare(store: Store, sessions: Sequence[str], config: LearnConfig) -> list[Lesson]:
    """A lesson of each session as it was judged; those that nobody judged as a whole, but for single answers,
    make one lesson together. A function of what was said and the seed."""
    rated, unrated = list[Heeded](), list[Heeded]()
    for session_id in sessions:
        heeded = heed(store.judged(session_id), store.signals(session_id))
        (rated if heeded.session.rating else unrated).append(heeded)
    kinds = groupby(sorted(unrated, key=_circumstances), key=_circumstances)
    groups = [list(some) for _, some in kinds]
    all_ = [*rated, *(together(some, f"signals-{some[0].session.id}") for some in groups)]
    return [lesson_of(heeded, config) for heeded in all_]


def lesson_of(heeded: Heeded, config: LearnConfig) -> Lesson:
    """Its practice, what is held back, and what was dropped."""
    return build_lesson(
        heeded.session,
        seed=config.seed,
        variations=config.variations,
        held_back=config.held_back,
        rejected=heeded.rejected,
    )


def _circumstances(heeded: Heeded) -> str:
    """Only answers given under the same system turns and with the same tools make one lesson."""
    system = [m.content for m in heeded.session.messages if m.role == "system"]
    return json.dumps([system, heeded.session.tools])


def remember(
    model: Engine, store: Store, plan: Plan, rooms: Sequence[Classroom]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What each version in the live one's lineage wrote down of its lessons, except those learned again and
    what newer sessions contradict; and a record of what these contradict now."""
    found: dict[str, dict[str, Any]] = {}
    over: set[str] = set()
    for version in store.lineage(plan.parent):
        for entry in files.read_json(Path(version.path) / files.LESSONS):
            found[entry["session"]] = {**dict.fromkeys(PARTS, ()), **entry}
            over |= {record["id"] for record in entry["retired"]}
    kept = [entry for session, entry in found.items() if session not in plan.sessions]
    probes = [Probe.from_json(p) for entry in kept for part in PARTS for p in entry[part]]
    retired = [r for room in rooms for r in retire(model, plan.parent, room, probes)]
    over |= {record["id"] for record in retired}
    still = [{**e, **{part: [p for p in e[part] if p["id"] not in over] for part in PARTS}} for e in kept]
    return still, retired


def retire(model: Engine, live: str, room: Classroom, probes: Sequence[Probe]) -> list[dict[str, Any]]:
    """The earlier checks that a new session contradicts, and what it makes the model say instead."""
    out: dict[str, dict[str, Any]] = {}
    for part in room.parts:
        context = part.context
        exchanges = [e for task in tasks(context)[0] for e in alone(context, task)]
        asked = [p for p in probes if related(p.text, context)]
        texts = list(dict.fromkeys(p.text for p in asked))
        said = dict(zip(texts, answered(model, part, texts, live, 64), strict=True))
        for probe in asked:
            was, now = model.decode(probe.answer).strip(), said[probe.text]
            if contradicts(probe.text, was, now, context, exchanges):
                record = {"id": probe.id, "request": probe.text, "was": was, "now": now}
                out[probe.id] = {**record, "by": room.lesson.session_id}
    return list(out.values())


def guards(model: Text, store: Store) -> dict[str, list[Probe]]:
    """Answers that nobody wants, by session: the candidate is not to begin to give them."""
    found = {}
    for session in store.sessions():
        wrong = unwanted(session, store.signals(session.id))
        found[session.id] = [
            Probe(
                f"{session.id}/bad{i}",
                tuple(model.encode(before, session.tools)),
                tuple(model.encode_answer(answer)),
            )
            for i, (before, answer) in enumerate(wrong)
        ]
    return {session_id: probes for session_id, probes in found.items() if probes}


def anchor_pool(model: HFModel, seed: int) -> AnchorPool:
    """General requests, answered by the base model: were it the live version, each night's small drift would
    add to those before."""
    prompts = [general_prompt(model, text) for text in practice_anchors()]
    return AnchorPool(model, BASE, prompts, max_tokens=32, seed=seed)


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
    earlier: Sequence[dict[str, Any]],
    student: lora.Adapter,
    folder: Path,
    store: Store,
    report: trainer.Report,
) -> trainer.Progress:
    """Train the student; measured on the probes that steer, those of earlier lessons included, which nobody
    ever practised: a dream is not done while something old is lost. Raises DreamError where there is nothing
    to learn."""
    config = plan.config.learn
    courses = [course for room in rooms for course in room.courses]
    if not courses:
        raise DreamError(
            "these sessions teach nothing that the model does not do already: "
            "`nightschool lessons SESSION` shows what was looked at"
        )
    anchors = anchor_pool(model, config.seed)
    practice = [[Probe.from_json(p) for p in entry["practice"]] for entry in earlier]
    tonight = f"{config.seed}:{plan.parent}"  # other requests every night
    rehearsal = Rehearsal([[(p.prompt, p.answer) for p in some] for some in practice], tonight)
    steer = [probe for room in rooms for probe in room.steer]
    asked = [shuffled([Probe.from_json(p) for p in entry["steer"]], tonight) for entry in earlier]
    steer += known(model, plan.parent, asked, len(steer))

    def measure() -> Sequence[bool]:
        return passed(model, steer, STUDENT)

    def tell(step: StepReport) -> None:
        store.update_dream(plan.id, progress=vars(step))
        report(step)

    def train(name: str, steps: int, adapter: lora.Adapter, at: Path) -> trainer.Progress:
        rule = RULES[name](Teaching(model, plan.parent, config))
        limited = config.model_copy(update={"steps": steps})
        return trainer.train(
            model,
            rule,
            courses,
            anchors,
            rehearsal,
            adapter,
            limited,
            measure=measure,
            report=tell,
            folder=at,
        )

    start = student.copy()
    if config.rule == "auto":
        progress = bakeoff(train, config, student, folder)
    else:
        progress = train(config.rule, config.steps, student, folder)
    progress.share = go_back(model, start, student, progress.kept_accuracy, measure)
    return progress


def known(model: Engine, live: str, earlier: Sequence[Sequence[Probe]], count: int) -> list[Probe]:
    """Up to `count` of the earlier lessons' probes that the live version gets right, as many of each; of many
    lessons, two of each (what nobody looks at gets lost unseen)."""
    count = max(count, 2 * len(earlier))
    asked = in_turns(earlier)[: 2 * count]
    right = passed(model, asked, live)
    return [probe for probe, is_right in zip(asked, right, strict=True) if is_right][:count]


# Judge


def examine(
    model: HFModel,
    plan: Plan,
    rooms: Sequence[Classroom],
    earlier: Sequence[dict[str, Any]],
    unwanted_answers: Mapping[str, Sequence[Probe]],
) -> Verdict:
    """Measure live and candidate on the gate's probes."""

    def both(probes: Sequence[Probe]) -> tuple[list[bool], list[bool]]:
        return passed(model, probes, plan.parent), passed(model, probes, STUDENT)

    drift = Drift(model, [general_prompt(model, text) for text in probe_anchors()])
    return judge(
        plan.config.gate,
        new={room.lesson.session_id: both(room.gate) for room in rooms},
        earlier={e["session"]: both([Probe.from_json(p) for p in e["probes"]]) for e in earlier},
        unwanted={session: both(probes) for session, probes in unwanted_answers.items()},
        kl_to_base=drift(STUDENT),
    )


# Keep and promote


def keep(
    model: HFModel,
    store: Store,
    home: Path,
    plan: Plan,
    rooms: Sequence[Classroom],
    student: lora.Adapter,
    verdict: Verdict,
    retired: Sequence[dict[str, Any]] = (),
) -> str:
    """Write the version and list it; it is not live yet."""
    name = store.next_version(STEM)

    def fill(directory: Path) -> None:
        lora.save(student, directory, model.name)
        files.write_json(directory / files.LESSONS, [_entry(room, retired) for room in rooms])
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


def _entry(room: Classroom, retired: Sequence[dict[str, Any]]) -> dict[str, Any]:
    session = room.lesson.session_id
    drills = [drill for course in room.courses for drill in course.drills if drill.kind != "replayed"]
    return {
        "session": session,
        "probes": [probe.to_json() for probe in room.gate],
        "steer": [probe.to_json() for probe in room.steer],
        "practice": [drill.probe(drill.answer or ()).to_json() for drill in drills[:REHEARSED]],
        "retired": [record for record in retired if record["by"] == session],
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
