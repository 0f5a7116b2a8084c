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
