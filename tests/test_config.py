"""Settings: where they come from, which one wins, and what a typing error gets."""

import re
from pathlib import Path

import pytest

from nightschool.config import Config, load
from nightschool.errors import ConfigError


def test_later_sources_win(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[learn]\nlr = 1e-3\nsteps = 7\nbatch = 2\n")
    env = {"NIGHTSCHOOL_LEARN__LR": "2e-3", "NIGHTSCHOOL_LEARN__STEPS": "8", "NIGHTSCHOOL_HOME": "x"}
    learn = load({"learn.lr": "3e-3"}, env=env).learn
    assert (learn.lr, learn.steps, learn.batch) == (3e-3, 8, 2)


def test_without_any_source_it_is_the_tested_recipe() -> None:
    assert load(env={}) == Config()


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ({"learn.rate": "1"}, "learn.rate"),
        ({"lern.lr": "1"}, "lern"),
        ({"learn.lr": "fast"}, "learn.lr"),
        ({"learn.lr": "-1"}, "learn.lr"),
        ({"model.dtype": "int8"}, "model.dtype"),
        ({"learn": "1"}, "learn"),
    ],
)
def test_a_wrong_setting_is_named(overrides: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=f"setting {re.escape(named)}"):
        load(overrides, env={})


def test_a_broken_file_is_named(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[learn\n")
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load(env={})
    (home / "config.toml").write_text("learn = 1\n")
    with pytest.raises(ConfigError, match="learn is not a section"):
        load({"learn.lr": "1"}, env={})


def test_the_page_of_settings_says_what_the_code_does() -> None:
    from docs.settings import page  # type: ignore[import-not-found]

    assert (Path(__file__).parents[1] / "docs" / "settings.md").read_text() == page()
