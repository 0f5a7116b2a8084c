"""One dream: from sessions that were liked to new weights that go live, or a verdict why not.

    collect   liked sessions that the live version has not learned, bad ones that somebody commented on, and
              answers that were accepted or edited
    prepare   each becomes a lesson: practice, and practice that is held back
    encode    the session's key-value cache once; what the teacher is better at is practised; a session with
              too little evidence for the gate is set aside
    remember  what earlier lessons are defended with, but for what the new sessions say otherwise
    learn     a learning rule (on-policy self-distillation), anchored; it stops on held-back practice, and
              goes back towards the live version as far as none of it is lost
    judge     the gate, on probes that neither trained nor steered anything
    keep      an immutable version with its provenance
    promote   one transaction; the running server follows

Every stage either is a function of the plan (same seed, same result) or leaves a checkpoint, so a dream that
was killed goes on where it was. The live version is untouched until the last stage.
"""

from __future__ import annotations

import resource
import shutil
import time
from pathlib import Path

from nightschool.learn.encoding import encode
from nightschool.learn.trainer import StepReport
from nightschool.lessons.prepare import Prepare, heard, prepare
from nightschool.models.hf import HFModel
from nightschool.night.aside import Aside
from nightschool.night.judge import Gate, gated, measured
from nightschool.night.keep import keep, load
from nightschool.night.learn import learn
from nightschool.night.memory import LearnedLesson, guards, remember
from nightschool.night.outcome import Outcome
from nightschool.night.queue import Plan, checkpoints, collect, ends_on_record
from nightschool.night.watch import UNWATCHED, Watch
from nightschool.store import Store


def dream(
    model: HFModel,
    store: Store,
    home: Path,
    plan: Plan,
    *,
    prepare: Prepare = prepare,
    gate: Gate = gated,
    watch: Watch = UNWATCHED,
) -> Outcome:
    """Run a dream that `queue.resume_or_start` planned, under `store.dreams.lock`.

    Raises DreamError (there is nothing to learn, a session is too long) and Interrupted (a full disk, a
    damaged version, ...), after which the same dream can go on. However it ends is on record.
    """
    began, folder = time.perf_counter(), checkpoints(home, plan.id)
    settings, config, parent = plan.config, plan.config.learn, plan.parent

    def report(step: StepReport) -> None:
        store.dreams.note_progress(plan.id, vars(step))
        watch.step(step)

    with ends_on_record(store, home, plan):
        load(model, store, parent)
        while True:  # until nothing was taken back while it was read
            watch.stage("collect")
            plan, judged = collect(store, plan, folder)

            watch.stage("prepare")
            sessions = heard(judged)
            aside = Aside(sessions)
            lessons = aside.each(
                lambda one: prepare(one, settings, model, parent), sessions, lambda one: one.session.id
            )

            watch.stage("encode")
            encoded = aside.each(
                lambda one: encode(model, one, parent, config), lessons, lambda one: one.session_id
            )
            encoded = aside.unless(
                lambda one: gate.refusal(settings, one), encoded, lambda one: one.lesson.session_id
            )
            if collect(store, plan, folder) == (plan, judged):
                break
        reports = {e.lesson.session_id: e.report() for e in encoded}
        aside_reports = {session: {"set_aside": reason} for session, reason in aside.reasons.items()}
        store.dreams.note_lessons(plan.id, reports | aside_reports)
        plan = aside.left(store, plan, folder)

        watch.stage("remember")
        memory = remember(model, store, plan, encoded)
        guarded = guards(model, store, plan.scope)

        watch.stage("learn")
        progress = learn(model, plan, encoded, memory.earlier, folder, report)

        watch.stage("judge")
        verdict = gate.verdict(settings.gate, lambda: measured(model, plan, encoded, memory.earlier, guarded))
        version = None
        if verdict.promote:
            watch.stage("keep")
            learned = [LearnedLesson.of(e, memory.retired) for e in encoded]
            version = keep(model, store, home, plan, learned, verdict)

            watch.stage("promote")
            store.versions.promote(plan.id, version, verdict)
        else:
            store.dreams.reject(plan.id, verdict)
    shutil.rmtree(folder, ignore_errors=True)
    numbers = {
        "steps": progress.best_step,
        "steps_taken": progress.step,
        "rule": progress.rule or config.rule,
        "share": progress.share,
        "sampled_tokens": progress.tokens,
        "ceiling": {e.lesson.session_id: e.ceiling for e in encoded},
        "retired": memory.retired,
        "set_aside": aside.reasons,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    name = version.name if version else None
    return Outcome(plan.id, verdict, name, time.perf_counter() - began, numbers)
