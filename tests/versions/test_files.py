"""A version on disk: whole or not there, and never changed unnoticed."""

import errno
from pathlib import Path

import pytest

from nightschool.errors import VersionError
from nightschool.versions import files


def fill(directory: Path) -> None:
    (directory / "a.txt").write_text("a")
    files.write_json(directory / "b.json", {"b": 1})


def written(home: Path) -> Path:
    return files.write(home, "n@1", fill, {"parent": "base"})


def test_provenance_names_every_file(home: Path) -> None:
    directory = written(home)
    record = files.provenance(directory)
    assert (record["version"], record["parent"], set(record["sha256"])) == (
        "n@1",
        "base",
        {"a.txt", "b.json"},
    )
    # sha256 of "a"
    assert record["sha256"]["a.txt"].startswith("ca978112ca1bbdcafac231b39a23dc4d")
    files.verify(directory)


@pytest.mark.parametrize("what", ["damaged", "missing", "unexpected"])
def test_a_changed_version_is_refused(home: Path, what: str) -> None:
    directory = written(home)
    if what == "damaged":
        (directory / "a.txt").write_text("b")
    elif what == "missing":
        (directory / "a.txt").unlink()
    else:
        (directory / "c.txt").write_text("c")
    with pytest.raises(VersionError, match=f"is {what}; go back with `nightschool rollback`"):
        files.verify(directory)
    with pytest.raises(VersionError):
        files.export(directory, home / "out")
    assert not (home / "out").exists()


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_damaged_provenance(home: Path, content: str) -> None:
    directory = written(home)
    (directory / files.PROVENANCE).write_text(content)
    with pytest.raises(VersionError, match=files.PROVENANCE):
        files.verify(directory)


def test_a_name_is_never_reused(home: Path) -> None:
    written(home)
    with pytest.raises(VersionError, match="never reused"):
        written(home)


def test_nothing_half_written_stays(home: Path) -> None:
    def full(directory: Path) -> None:
        (directory / "a.txt").write_text("a")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(VersionError, match="disk is full"):
        files.write(home, "n@1", full, {})
    assert list(files.root(home).iterdir()) == []


def test_export_copies_into_a_new_directory_only(home: Path, tmp_path: Path) -> None:
    directory = written(home)
    files.export(directory, tmp_path / "out")
    files.verify(tmp_path / "out")
    with pytest.raises(VersionError, match="exists already"):
        files.export(directory, tmp_path / "out")


@pytest.fixture
def old() -> Path:
    """A version of the release before, whose adapter names a model that nobody finds."""
    return Path(__file__).parents[1] / "fixtures" / "home" / "versions" / "nightschool@1"


def test_an_export_names_its_base_model_and_holds_no_session(old: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files.export(old, out, base="org/Name")
    files.verify(out)
    assert {path.name for path in out.iterdir()} == {
        files.ADAPTER,
        files.PROVENANCE,
        "adapter_model.safetensors",
    }
    was, is_now = (files.read_json(folder / files.ADAPTER) for folder in (old, out))
    assert is_now == {**was, "base_model_name_or_path": "org/Name"}
    files.export(old, tmp_path / "all", lessons=True)
    files.verify(tmp_path / "all")
    assert {path.name for path in (tmp_path / "all").iterdir()} == {path.name for path in old.iterdir()}


def test_an_export_may_hold_its_base_model(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    files.export(old, Path("out"), base="ignored", model=model)
    files.verify(tmp_path / "out")
    base = files.read_json(tmp_path / "out" / files.ADAPTER)["base_model_name_or_path"]
    assert base == str(tmp_path / "out" / files.BASE_MODEL)
    assert (Path(base) / "config.json").exists()
    assert files.base_model(old) == files.base_model(tmp_path / "out") == "model"
