"""The command line of the benchmarks."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nightschool
from bench import settings
from bench.__main__ import BENCHMARKS, command_line
from nightschool.errors import BadRequest, ConfigError


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_says_what_it_measures(name: str) -> None:
    listed = CliRunner().invoke(command_line(None), ["--help"])
    assert listed.exit_code == 0
    assert f" {name} " in listed.output
    own = CliRunner().invoke(command_line(name), [name, "--help"])
    assert own.exit_code == 0
    assert "--out" in own.output or "--folder" in own.output


def test_settings_go_with_any_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "given", {})
    rest = settings.take(["curve", "--learn.lr", "1e-4", "meetings", "--learn.steps=3", "--out", "x"])
    assert rest == ["curve", "meetings", "--out", "x"]
    learn = settings.config().learn
    assert (learn.lr, learn.steps) == (1e-4, 3)
    with pytest.raises(ConfigError, match=r"--learn\.lr needs a value"):
        settings.take(["curve", "--learn.lr"])


def test_a_wrong_name_is_answered_with_the_known_ones() -> None:
    assert settings.chosen(None, ["a", "b"]) == ["a", "b"]
    assert settings.chosen(["b"], ["a", "b"]) == ["b"]
    with pytest.raises(BadRequest, match="there is no 'c': choose from a; b"):
        settings.chosen(["c"], ["a", "b"])


def test_nothing_that_is_installed_imports_the_benchmarks() -> None:
    for file in Path(nightschool.__file__).parent.rglob("*.py"):
        assert not re.search(r"^\s*(from|import) bench\b", file.read_text(), re.MULTILINE), file
