"""Settings: where they come from, which one wins, and what a typing error gets."""

import re
from pathlib import Path

import pytest

from nightschool.config import RENAMED, Config, HelperConfig, RlvrConfig, load, parse, sections
from nightschool.config import home as home_of_settings
from nightschool.errors import ConfigError


def test_later_sources_win(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[learn]\nlr = 1e-3\nsteps = 7\nbatch_size = 2\n")
    env = {"NIGHTSCHOOL_LEARN__LR": "2e-3", "NIGHTSCHOOL_LEARN__STEPS": "8", "NIGHTSCHOOL_HOME": "x"}
    learn = load({"learn.lr": "3e-3"}, env=env).learn
    assert (learn.lr, learn.steps, learn.batch_size) == (3e-3, 8, 2)


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("NIGHTSCHOOL_PORT", "variable NIGHTSCHOOL_PORT: settings are NIGHTSCHOOL_SECTION__KEY"),
        ("NIGHTSCHOOL_SERVE__PROT", r"setting serve\.prot: there is no such setting"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(env={variable: "1"})


def test_the_home_of_a_user_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, found in {"": ".nightschool", "~/ns": "ns", "~": "."}.items():
        monkeypatch.setenv("NIGHTSCHOOL_HOME", name)
        assert home_of_settings() == tmp_path / found
    monkeypatch.setenv("NIGHTSCHOOL_HOME", "~no-such-user/ns")
    with pytest.raises(ConfigError, match="NIGHTSCHOOL_HOME: "):
        home_of_settings()


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


def test_nested_keys_come_from_every_source(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[learn]\nrule = 'rlvr'\n[learn.rlvr]\nkl_coef = 0.3\ngroup_size = 6\n")
    assert load(env={}).learn.rlvr == RlvrConfig(kl_coef=0.3, group_size=6)
    env = {"NIGHTSCHOOL_LEARN__RLVR__GROUP_SIZE": "8"}
    assert load(env=env).learn.rlvr == RlvrConfig(kl_coef=0.3, group_size=8)
    assert load({"learn.rlvr.group_size": "9"}, env=env).learn.rlvr.group_size == 9


HELPER = {"lessons.helper.url": "http://localhost:11434/v1", "lessons.helper.model": "qwen3"}


def test_a_helper_comes_from_every_source(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[lessons.helper]\nurl = 'https://file.example/v1/'\nmodel = 'file'\n")
    assert load(env={}).lessons.helper == HelperConfig(url="https://file.example/v1", model="file")
    env = {"NIGHTSCHOOL_LESSONS__HELPER__URL": "http://env:1/v1", "NIGHTSCHOOL_LESSONS__HELPER__MODEL": "env"}
    assert load(env=env).lessons.helper == HelperConfig(url="http://env:1/v1", model="env")
    helper = load(HELPER, env=env).lessons.helper
    assert (helper.url, helper.model) == ("http://localhost:11434/v1", "qwen3")
    off = {"lessons.helper.url": "", "lessons.helper.model": ""}
    assert load(off, env=env).lessons.helper == HelperConfig()


@pytest.mark.parametrize("key", HELPER)
def test_a_helper_is_an_address_and_a_model(key: str) -> None:
    with pytest.raises(ConfigError, match=r"^setting lessons\.helper: url and model go together"):
        load({key: HELPER[key]}, env={})


@pytest.mark.parametrize(
    "url", ["localhost:11434/v1", "ftp://host/v1", "file:///v1", "http://a b", "http://"]
)
def test_a_helpers_address_is_http(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^setting lessons\.helper\.url: not an http or https URL"):
        load(HELPER | {"lessons.helper.url": url}, env={})


@pytest.mark.parametrize("url", ["http://sk-1@host/v1", "http://me:sk-1@host/v1", "http://host/v1?key=sk-1"])
def test_a_key_in_a_helpers_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY") as refused:
        load(HELPER | {"lessons.helper.url": url}, env={})
    assert "sk-1" not in str(refused.value)


def test_no_key_is_among_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    config = load(HELPER)
    assert "sk-secret" not in repr(config.model_dump())
    assert parse(config.model_dump()) == config  # as a dream records it


@pytest.mark.parametrize("old", RENAMED)
def test_an_old_name_gets_the_new_one_from_every_source(home: Path, old: str) -> None:
    message = f"^setting {re.escape(old)} is now called {re.escape(RENAMED[old])} "
    name, key = old.split(".")
    with pytest.raises(ConfigError, match=message):
        load({old: "1"}, env={})
    with pytest.raises(ConfigError, match=message):
        load(env={f"NIGHTSCHOOL_{name}__{key}".upper(): "1"})
    home.mkdir()
    (home / "config.toml").write_text(f"[{name}]\n{key} = 1\n")
    with pytest.raises(ConfigError, match=message):
        load(env={})


def test_every_new_name_is_a_setting() -> None:
    known = {f"{name}.{key}" for name, section in sections() for key in section.model_fields}
    assert set(RENAMED.values()) <= known
    assert not RENAMED.keys() & known


def test_a_recorded_dream_of_old_names_is_a_clear_error() -> None:
    assert parse(Config().model_dump()) == Config()
    with pytest.raises(ConfigError, match=r"learn\.clip is now called learn\.max_grad_norm"):
        parse({"learn": {"clip": 1.0}})


@pytest.mark.parametrize(
    ("rule", "key", "value"),
    [
        ("opsd", "rlvr.group_size", "8"),
        ("opsd", "auto.bakeoff_steps", "3"),
        ("trd-rewrite", "opsd.divergence", "reverse_kl"),
        ("cd", "opsd.reference_steps", "0"),
        ("sft", "temperature", "0.5"),
    ],
)
def test_what_the_rule_does_not_read_is_refused(rule: str, key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"setting learn\.{key} has no effect with learn\.rule {rule}"):
        load({"learn.rule": rule, f"learn.{key}": value}, env={})
    load({"learn.rule": "auto", f"learn.{key}": value}, env={})


def test_top_k_belongs_to_its_divergence() -> None:
    with pytest.raises(ConfigError, match="no effect unless"):
        load({"learn.opsd.top_k": "8"}, env={})
    assert load({"learn.opsd.top_k": "8", "learn.opsd.divergence": "top_k"}, env={}).learn.opsd.top_k == 8


def test_a_broken_file_is_named(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[learn\n")
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load(env={})
    (home / "config.toml").write_text("learn = 1\n")
    with pytest.raises(ConfigError, match="learn is not a section"):
        load({"learn.lr": "1"}, env={})


def test_the_page_of_settings_says_what_the_code_does() -> None:
    from docs.settings import page

    assert (Path(__file__).parents[1] / "docs" / "settings.md").read_text() == page()
