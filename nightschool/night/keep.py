"""The stage in which a student becomes a version on the disk, and loading one again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nightschool import __version__
from nightschool.engines.base import PromptAnswer, answers
from nightschool.learn.student import STUDENT
from nightschool.lessons.anchors import encoded, probe_anchors
from nightschool.models import lora
from nightschool.models.hf import HFModel
from nightschool.night import memory
from nightschool.night.memory import LearnedLesson
from nightschool.night.queue import Plan
from nightschool.store import Store
from nightschool.types import BASE, Verdict, Version
from nightschool.versions import attest, files

ATTESTED = 4  # probes of each lesson; and half as many unrelated requests
ATTESTED_TOKENS = 16  # longest answer to an unrelated request


def load(model: HFModel, store: Store, name: str) -> None:
    """Verify a version's files and load it. Raises VersionError."""
    if name != BASE:
        directory = Path(store.versions.get(name).path)
        files.verify(directory)
        model.load(name, directory)


def keep(
    model: HFModel,
    store: Store,
    home: Path,
    plan: Plan,
    lessons: Sequence[LearnedLesson],
    verdict: Verdict,
) -> Version:
    """Write the student's files as a new version, which is not listed yet. Raises VersionError."""
    student, name = model.adapter(STUDENT), store.versions.new_name(files.STEM)
    assert student

    def fill(directory: Path) -> None:
        lora.save(student, directory, model.name)
        memory.write(lessons, directory)
        attest.write(model, STUDENT, _attested(model, lessons), directory)

    provenance = {
        "nightschool": __version__,
        "model": model.name,
        "parent": plan.parent,
        "dream": plan.id,
        "scope": plan.scope,
        "sessions": list(plan.sessions),
        "config": plan.config.model_dump(),
        "seed": plan.config.learn.seed,
        "verdict": verdict.to_json(),
    }
    path = files.write(home, name, fill, provenance)
    return Version(name, plan.parent, str(path), plan.sessions, plan.id, scope=plan.scope)


def _attested(model: HFModel, lessons: Sequence[LearnedLesson]) -> list[PromptAnswer]:
    """Right answers of the lessons, and what the student says to unrelated requests."""
    pairs: list[PromptAnswer] = [(p.prompt, p.answer) for one in lessons for p in one.probes[:ATTESTED]]
    prompts = encoded(model, probe_anchors()[: ATTESTED // 2])
    texts = answers(model, prompts, STUDENT, ATTESTED_TOKENS)
    return [*pairs, *zip(prompts, map(model.encode_answer, texts), strict=True)]
