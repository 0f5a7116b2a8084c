"""What the doctor finds, and what it says to do about it."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from nightschool.cli.doctor import GB, Finding, examine
from nightschool.config import Config
from nightschool.models.kernels import native


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def finding_of(home: Path, what: str, **model: str) -> Finding:
    """One of the findings, with settings of the model."""
    findings = {finding.what: finding for finding in examine(Config.model_validate({"model": model}), home)}
    return findings[what]


def test_every_problem_comes_with_a_way_out(home: Path) -> None:
    findings = examine(Config(), home)
    assert [finding.what for finding in findings] == [
        *("machine", "torch", "compiler", "memory", "disk", "model", "store", "live version"),
    ]
    assert all(finding.fix for finding in findings if finding.state != "ok")


@pytest.mark.parametrize(("free", "state"), [(2 * GB, "ok"), (GB // 2, "warn"), (GB // 10, "fail")])
def test_free_space(home: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2 * GB, 0, free))
    finding = finding_of(home, "disk")
    assert finding.state == state
    assert ("set NIGHTSCHOOL_HOME to another disk" in finding.fix) is (state != "ok")


def test_a_gpu_that_is_not_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert finding_of(home, "torch").state == "ok"
    missing = finding_of(home, "torch", device="cuda")
    assert (missing.state, missing.detail) == ("fail", "no GPU is visible")


def test_without_a_compiler_answers_are_slower(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "library", lambda: None)
    assert finding_of(home, "compiler").state == "warn"


def test_another_model_is_local_or_fetched(home: Path, tmp_path: Path) -> None:
    assert "a local directory" in finding_of(home, "model", id=str(tmp_path)).detail
    assert "fetched from the hub" in finding_of(home, "model", id="org/name").detail


def test_a_store_that_cannot_be_opened(tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.write_text("x")
    assert finding_of(home, "store").state == "fail"
    assert finding_of(home, "live version").state == "fail"
