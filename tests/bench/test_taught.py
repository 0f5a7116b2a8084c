"""What dreams learn of kinds of sessions, beside dreams of the same sessions with true variations."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import taught, ungated
from bench.cells import Cells
from bench.lessons import KINDS
from bench.work.truths_aside import ASIDE
from nightschool.config import Config, LearnConfig
from nightschool.engines.tools import render_assistant
from nightschool.lessons.feedback import apply_feedback
from nightschool.lessons.prepare import prepare
from nightschool.models.hf import HFModel
from nightschool.types import BASE


def cell(kind: str, seed: int, practice: str, after: float, kl: float = 0.01) -> dict[str, Any]:
    return {
        "kind": kind,
        "seed": seed,
        "practice": practice,
        "base": 0.0,
        "in_context": 0.1 * seed,
        "after": after,
        "kl": kl,
        "seconds": 100.0 + seed,
    }


def test_a_kind_is_a_line_of_medians_over_its_seeds() -> None:
    cells = [
        *(cell("rooms", seed, "own", after) for seed, after in enumerate((0.6, 0.3, 0.9))),
        *(cell("rooms", seed, "true", after, kl=0.5) for seed, after in enumerate((0.8, 0.6, 0.9))),
        cell("rooms", 3, "own", 0.7, kl=0.04),
        cell("transfer", 0, "own", 0.5),
        cell("zones", 0, "own", 0.5),
        cell("zones", 0, "true", 0.0),
    ]
    heads, rooms, transfer, zones = taught.lines(cells)
    assert heads[-1] == "seeds"
    # after / ceiling are 0.75, 0.5 and 1 where both are known; the KL is the product's own dream's
    assert rooms == ["rooms", "0.00", "0.15", "0.65", "0.80", "0.75", "0.040", "102", "4"]
    assert transfer == ["transfer (aside)", "0.00", "0.00", "0.50", "-", "-", "0.010", "100", "1"]
    assert zones[3:6] == ["0.50", "0.00", "-"]


def test_twelve_kinds_of_many_languages_some_of_them_kept_aside() -> None:
    kinds = [KINDS[name] for name in taught.DEFAULT]
    assert len(set(taught.DEFAULT)) == 12
    assert sum(kind in ASIDE for kind in kinds) >= 3
    assert len({kind.language for kind in kinds}) >= 7


@pytest.mark.parametrize("name", taught.DEFAULT)
def test_true_variations_are_right_and_never_among_the_unseen(name: str) -> None:
    kind, config = KINDS[name], Config(learn=LearnConfig(seed=1))
    recorded, suite = kind.draw(1), kind.suite(1)
    judged = apply_feedback(suite.session)
    derived = prepare(judged, config)
    lesson = taught.true_practice(kind)(judged, config, None, BASE)

    said = [r for r in lesson.practice if r.kind != "varied"]
    assert said
    assert said == [r for r in derived.practice if r.kind != "varied"]
    practised, held_back = (
        [r for r in some if r.kind == "varied"] for some in (lesson.practice, lesson.held_back)
    )
    assert len(practised) >= 60
    assert len(practised) // 4 <= len(held_back) <= len(practised) // 2
    assert [r.messages for r in practised] == [c.messages for c in kind.true_variations(1, len(practised))]

    varied = [*practised, *held_back]
    asked = {r.messages for r in varied}
    assert len(asked) == len({r.id for r in varied}) == len(varied)
    assert not asked & {case.messages for case in suite.unseen}
    for request in varied:
        assert request.turns == len(request.messages)
        assert request.messages[-1].role in ("user", "tool")
        assert request.tools == suite.session.tools
        right = recorded.right(request.messages, request.expected or "")
        assert right or name == "labels"  # of other sentences than the session's its oracle says nothing


@pytest.mark.parametrize("name", sorted(set(taught.DEFAULT) - {"told", "asked"}))  # any words are right there
def test_true_answers_are_written_as_the_session_writes_them(name: str) -> None:
    recorded = KINDS[name].draw(0)
    turns = recorded.session.messages
    last = max(i for i, m in enumerate(turns) if m.role == "user")
    answers = [i for i in range(last, len(turns)) if turns[i].role == "assistant"]
    assert answers
    for i in answers:
        assert recorded.truth(turns[:i]) == render_assistant(turns[i])


def test_a_table_goes_on_where_it_was(
    roomy: HFModel, small: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is dreamt or measured twice, least of all the base model for the second practice."""
    measured: list[tuple[str, bool]] = []
    dreamt: list[bool] = []

    def accuracy(*given: Any) -> float:
        measured.append((given[3], len(given) > 4))
        return 0.5

    def dream(*given: Any, **named: Any) -> ungated.Night:
        dreamt.append(named["prepare"] is prepare)
        return sound(*given, **named)

    sound = ungated.dream
    monkeypatch.setattr(taught, "accuracy", accuracy)
    monkeypatch.setattr(ungated, "dream", dream)

    def run(kinds: Sequence[str], practices: Sequence[str]) -> Cells:
        cells = Cells(tmp_path / "taught.jsonl")
        taught.run(roomy, small, [KINDS[name] for name in kinds], (0,), practices, cells, lambda _: None)
        return cells

    run(["pedidos"], ["own"])
    assert dreamt == [True]
    assert measured == [("base", False), ("base", True), ("student", False)]
    cells = run(["pedidos"], taught.PRACTICE)
    assert dreamt == [True, False]
    assert measured[3:] == [("student", False)]
    assert run(["pedidos"], taught.PRACTICE).rows == cells.rows
    assert len(dreamt) == 2
    own, true = [json.loads(line) for line in (tmp_path / "taught.jsonl").read_text().splitlines()]
    assert own.keys() == true.keys()
    assert own["machine"]
    assert own["kl"] != true["kl"]  # they practised other requests
