"""A version's directory: PEFT files, `provenance.json`, `attest.json` and `lessons.json`.

It is written under a temporary name and renamed when it is complete. After that, nothing in it changes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from nightschool.errors import VersionError

STEM = "nightschool"  # of the versions' names; a request for this name means the live version
PROVENANCE = "provenance.json"
ATTEST = "attest.json"
LESSONS = "lessons.json"
ADAPTER = "adapter_config.json"
BASE_MODEL = "base"  # the folder of an exported version that holds its base model


def root(home: Path) -> Path:
    """The directory that holds the directories of all versions."""
    return home / "versions"


def write(home: Path, name: str, fill: Callable[[Path], None], provenance: dict[str, Any]) -> Path:
    """Create version `name` and return its directory. `fill` writes its files into the directory that it is
    given; then `provenance` is written, with the sha256 of each file added.

    Raises VersionError if the name is taken or the disk refuses. No incomplete version is left behind.
    """
    target = root(home) / name
    if target.exists():
        raise VersionError(f"version {name} exists already: names are never reused")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=target.parent))
        try:
            fill(work)
            record = {**provenance, "version": name, "sha256": checksums(work)}
            write_json(work / PROVENANCE, record)
            _sync(work)
            work.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as e:
        raise VersionError(disk_message(e, target)) from e
    return target


def sweep(home: Path, listed: Collection[str]) -> None:
    """Remove the versions that are not `listed` in the store. They were never live; dreams that were killed
    left them. Call this only while holding `store.dreams.lock`, or it removes what a dream has just written.
    """
    for directory in root(home).glob("*@*"):
        if directory.name not in listed:
            shutil.rmtree(directory, ignore_errors=True)


def checksums(directory: Path) -> dict[str, str]:
    """The sha256 of every file but the provenance, by file name."""
    names = sorted(p.name for p in directory.iterdir() if p.is_file() and p.name != PROVENANCE)
    return {name: _sha256(directory / name) for name in names}


def verify(directory: Path) -> None:
    """Raises VersionError if a file is missing, damaged or not in the provenance."""
    expected = provenance(directory)["sha256"]
    try:
        actual = checksums(directory)
    except OSError as e:
        raise VersionError(f"version {directory.name} cannot be read: {e.strerror}") from e
    for name in sorted(expected.keys() | actual.keys()):
        if expected.get(name) != actual.get(name):
            problem = "missing" if name not in actual else "damaged" if name in expected else "unexpected"
            raise VersionError(
                f"version {directory.name}: {name} is {problem}; go back with `nightschool rollback`"
            )


def provenance(directory: Path) -> dict[str, Any]:
    """The provenance record. Raises VersionError."""
    data = read_json(directory / PROVENANCE)
    if not isinstance(data, dict) or not isinstance(data.get("sha256"), dict):
        raise VersionError(f"version {directory.name}: {PROVENANCE} is damaged")
    return data


def base_model(directory: Path) -> str | None:
    """The setting `model.id` with which a version was trained, if that is on record. Raises VersionError."""
    found: str | None = provenance(directory).get("config", {}).get("model", {}).get("id")
    return found


def export(
    directory: Path,
    target: Path,
    *,
    base: str | None = None,
    model: Path | None = None,
    lessons: bool = False,
) -> None:
    """Verify a version and copy it to `target`, a new or empty directory. Raises VersionError.

    Its adapter names `base` as the model that it is for, or a copy of the folder `model` that goes with it.
    What holds texts of sessions, as text or as tokens, goes with it only if `lessons`.
    """
    verify(directory)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise VersionError(f"{target} exists already: name a new directory")
    private = shutil.ignore_patterns(*(() if lessons else (LESSONS, ATTEST)))
    try:
        shutil.copytree(directory, target, ignore=private, dirs_exist_ok=True)
        if model:
            shutil.copytree(model, target / BASE_MODEL)
            base = str(target.absolute() / BASE_MODEL)  # PEFT takes a path as seen from where it runs
        if base:
            write_json(target / ADAPTER, {**read_json(target / ADAPTER), "base_model_name_or_path": base})
        write_json(target / PROVENANCE, {**provenance(target), "sha256": checksums(target)})
    except shutil.Error as e:
        raise VersionError(f"cannot write {target}: {e.args[0][0][2]}") from e
    except OSError as e:
        raise VersionError(disk_message(e, target)) from e


def read_json(path: Path) -> Any:
    """The content of a version's JSON file. Raises VersionError if it is missing or not valid JSON."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as e:
        raise VersionError(f"version {path.parent.name}: {path.name} cannot be read ({e})") from e


def write_json(path: Path, data: Any) -> None:
    """Write JSON with sorted keys, so that equal data gives an equal file. Raises OSError."""
    path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")


def disk_message(error: OSError, path: Path) -> str:
    """One line about an error of the disk, saying what to do."""
    if error.errno == errno.ENOSPC:
        return f"the disk is full at {path}: free some space and try again, nothing was lost"
    return f"cannot write {path}: {error.strerror}"


def _sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _sync(directory: Path) -> None:
    """Make the files durable, so that after a power cut the renamed directory is not without them."""
    for path in directory.iterdir():
        with path.open("rb") as f:
            os.fsync(f.fileno())
