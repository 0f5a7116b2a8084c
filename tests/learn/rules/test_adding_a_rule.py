"""The rule that docs/adding-a-rule.md adds is one file, and it learns."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nightschool import config
from nightschool.learn import rules
from nightschool.learn.examples import PracticeSet
from nightschool.learn.objectives import Imitate
from nightschool.learn.rule import Rule, RuleContext
from nightschool.learn.rules import make
from nightschool.models.hf import HFModel
from nightschool.types import BASE
from tests.learn.conftest import QUICK

PAGE = Path(__file__).parents[3] / "docs" / "adding-a-rule.md"
RULE = PAGE.read_text().split("```python\n")[1].split("```")[0]


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "rejection.py").write_text(RULE)
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    monkeypatch.setattr(config, "RULES", [*config.RULES, "rejection"])
    return "rejection"


def test_the_settings_take_it(added: str) -> None:
    for name in (added, f"opsd+{added}"):
        assert config.load({"learn.rule": name, "learn.temperature": "0.5"}, env={}).learn.rule == name


def test_no_page_has_to_be_written_anew(tmp_path: Path) -> None:
    """In a copy of the package that has the file."""
    root = PAGE.parents[1]
    shutil.copytree(root / "nightschool", tmp_path / "nightschool")
    shutil.copytree(root / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("results"))
    (tmp_path / "nightschool" / "learn" / "rules" / "rejection.py").write_text(RULE)
    code = "from docs.settings import page; from nightschool import config; print(config.RULES, page())"
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    rules, page = made.stdout.split("] ", 1)
    assert "'rejection'" in rules
    assert page.strip() == (PAGE.parent / "settings.md").read_text().strip()


def test_what_is_right_is_learned_by_heart_and_the_rest_by_its_reference(
    tiny: HFModel, tiny_set: PracticeSet, added: str
) -> None:
    rule = make(added, RuleContext(tiny, BASE, QUICK))
    eligible = rule.eligible(tiny_set.examples, 0)
    assert eligible
    (step,) = rule.rollouts([eligible[:2]], BASE, 0)
    assert [r.example.id for r in step] == [e.id for e in eligible[:2] for _ in range(4)]
    ((pairs, objective),) = rule.objectives(tiny_set, [step])
    assert isinstance(objective, Imitate)
    # A random model is never right.
    assert pairs == [(e.student, e.answer) for e in eligible[:2]]


def test_the_trainer_runs_it(
    tiny: HFModel, added: str, learn_by: Callable[[Rule], list[torch.Tensor]]
) -> None:
    before = [p.detach().clone() for p in tiny.fresh_adapter(QUICK.rank, QUICK.seed).parameters()]
    after = learn_by(make(added, RuleContext(tiny, BASE, QUICK)))
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
