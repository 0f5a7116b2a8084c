"""What sessions are taken to teach, with the truth beside it: known right answers that are wrong, how many
there are, and exchanges judged wrongly. Nothing is trained.

Every kind of session comes with an oracle that is independent of the product (`bench.work.truths`). An answer
that the oracle cannot judge is unverifiable. Ends with exit status 1 where a known answer is wrong. One
third of the kinds is kept aside: their wrong answers are counted and never shown.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import report, settings
from bench.work.truths import Kind, Recorded
from bench.work.truths_aside import ASIDE
from bench.work.truths_formats import FORMATS
from bench.work.truths_talks import TALKS
from nightschool.engines.base import Engine
from nightschool.lessons.feedback import apply_feedback
from nightschool.lessons.prepare import prepare
from nightschool.types import Lesson, PracticeRequest

KINDS = {kind.name: kind for kind in (*FORMATS, *TALKS, *ASIDE)}
EXCHANGES = (4, 2, 4, 8, 4, 3, 4, 6)  # of the sessions of one kind, seed by seed
VARIATIONS, HELD_BACK = 96, 32  # wanted of a lesson: more than by default, so that much is looked at
SHOWN = 5  # wrong answers of a kind that are kept in the result


@dataclass
class Tally:
    """What was found about the sessions of one kind."""

    model: Engine | None = None  # that writes questions and judges in hindsight
    sessions: int = 0
    failed: int = 0
    exchanges: int = 0
    known: int = 0
    wrong: int = 0
    unverifiable: int = 0
    distinct: list[int] = field(default_factory=list)  # known answers of each session of four exchanges
    judged_wrongly: int = 0
    unjudged: int = 0
    seconds: float = 0.0
    examples: list[dict[str, Any]] = field(default_factory=list)

    def look(self, kind: Kind, seed: int) -> None:
        """One more session."""
        exchanges = EXCHANGES[seed % len(EXCHANGES)]
        recorded = kind.draw(seed, exchanges)
        self.sessions += 1
        self.exchanges += len(recorded.roles)
        began = time.perf_counter()
        try:
            lesson = lesson_of(recorded, seed, self.model)
        except Exception as e:  # noqa: BLE001 - whatever it is, this session was not learned
            self.failed += 1
            self.examples.append({"seed": seed, "failed": repr(e)})
            return
        finally:
            self.seconds += time.perf_counter() - began
        known = [p for p in (*lesson.practice, *lesson.held_back) if p.expected is not None]
        for request in known:
            self._judge(recorded, request, seed)
        if exchanges == 4:
            self.distinct.append(len({p.expected for p in known}))
        wrongly, unjudged = misjudged(recorded, lesson)
        self.judged_wrongly += len(wrongly)
        self.unjudged += len(unjudged)

    def _judge(self, recorded: Recorded, request: PracticeRequest, seed: int) -> None:
        right = recorded.right(request.messages, request.expected or "")
        self.known += 1
        self.unverifiable += right is None
        self.wrong += right is False
        if right is False:
            asked = [m.content for m in request.messages[-request.turns :]]
            truth = recorded.truth([m for m in request.messages if m.role != "system"])
            wrong = {"seed": seed, "kind": request.kind, "asked": asked, "known": request.expected}
            self.examples.append({**wrong, "right": truth})

    def row(self, kind: Kind) -> dict[str, Any]:
        return {
            "kind": kind.name,
            "language": kind.language,
            "aside": kind in ASIDE,
            "shows": kind.shows,
            "sessions": self.sessions,
            "failed": self.failed,
            "exchanges": self.exchanges,
            "known": self.known,
            "wrong": self.wrong,
            "unverifiable": self.unverifiable,
            "distinct": min(self.distinct, default=0),
            "pattern": kind.pattern,
            "judged_wrongly": self.judged_wrongly,
            "unjudged": self.unjudged,
            "seconds": self.seconds,
            "examples": [] if kind in ASIDE else self.examples[:SHOWN],
        }


def lesson_of(recorded: Recorded, seed: int, model: Engine | None = None) -> Lesson:
    """What the product makes of a session."""
    wanted = {"seed": seed, "variations": VARIATIONS, "held_back": HELD_BACK}
    config = settings.with_learn(settings.config(), **wanted)
    return prepare(apply_feedback(recorded.session, recorded.signals), config, model)


def misjudged(recorded: Recorded, lesson: Lesson) -> tuple[list[str], list[str]]:
    """The user's turns that were taken for something else than they are, and those that were not used.

    A turn is taken for a request by itself where it is practised with nothing before it, and then its known
    answer must be right (the mended one, not what a follow-up brought); for a part of an earlier one where a
    practised request goes on from that one to it. What is told is no request.
    """
    alone, wrongly_alone, known_alone = set[str](), set[str](), set[str]()
    part, late = set[str](), set[str]()
    for request in lesson.practice:
        if request.kind not in ("recorded", "replayed"):
            continue
        said = [m.content for m in request.messages if m.role == "user"]
        asked = [m.content for m in request.messages[-request.turns :] if m.role == "user"]
        alone.update(said[:1])
        if len(said) == 1 and request.expected is not None:
            known_alone.update(said)
            if recorded.right(request.messages, request.expected) is False:
                wrongly_alone.update(said)
        part.update(asked[1:])
        late.update(said[1:])
    wrongly, unjudged = [], []
    for turn, role in recorded.roles.items():
        if role == "tells":
            wrong, unused = turn in known_alone, False
        elif role == "alone":
            wrong, unused = turn in wrongly_alone | (part - alone), turn not in alone | part
        else:
            wrong, unused = turn in alone, turn not in alone | late
        wrongly += [turn] * wrong
        unjudged += [turn] * unused
    return wrongly, unjudged


def totals(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All kinds, those to develop with and those kept aside, each as one row."""
    sums = "sessions failed exchanges known wrong unverifiable judged_wrongly unjudged seconds".split()
    out = []
    for name, some in (
        ("developed with", [r for r in rows if not r["aside"]]),
        ("kept aside", [r for r in rows if r["aside"]]),
        ("all", list(rows)),
    ):
        patterned = [r for r in some if r["pattern"]]
        covered = sum(r["distinct"] >= 60 for r in patterned)
        row = {"kinds": name, "count": len(some), **{key: sum(r[key] for r in some) for key in sums}}
        out.append({**row, "60 distinct": f"{covered} of {len(patterned)}"})
    return out


def main(
    kinds: Annotated[list[str] | None, typer.Argument(help="Names of kinds; all by default.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Sessions of each kind.")] = 8,
    aside: Annotated[bool, typer.Option(help="Measure with the kinds kept aside, too.")] = True,
    with_model: Annotated[bool, typer.Option(help="With the model's hindsight and questions.")] = False,
    out: Annotated[Path | None, typer.Option(help="Keep the result as OUT.json and OUT.md.")] = None,
) -> None:
    rows, model = [], None
    if with_model:
        from nightschool.models import hf  # needs torch, which all the rest does not

        model = hf.load(settings.config().model)
    for name in settings.chosen(kinds, list(KINDS)):
        if KINDS[name] in ASIDE and not (aside or kinds):
            continue
        tally = Tally(model)
        for seed in range(seeds):
            tally.look(KINDS[name], seed)
        rows.append(tally.row(KINDS[name]))
    summary = totals(rows)
    kept = ("language", "known", "wrong", "unverifiable", "distinct", "judged_wrongly", "unjudged")
    shown = [
        {"kind": r["kind"] + (" (aside)" if r["aside"] else ""), **{key: r[key] for key in kept}}
        for r in rows
    ]
    about = [{key: r[key] for key in ("kind", "language", "shows")} for r in rows]
    tables = {
        "What the kinds show": report.by_key(about),
        "Kinds": report.by_key(shown),
        "Totals": report.by_key(summary),
    }
    report.finish({"totals": summary, "rows": rows}, out, tables)
    if any(r["wrong"] or r["failed"] for r in rows):
        raise typer.Exit(1)
