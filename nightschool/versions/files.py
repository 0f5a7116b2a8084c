"""A version's directory: PEFT files, `provenance.json`, `attest.json`, `lessons.json`.

It is written under a temporary name and renamed when it is whole; after that nothing in it changes.
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

STEM = "nightschool"  # of the versions' names; asked for without a number, the live one is meant
PROVENANCE = "provenance.json"
ATTEST = "attest.json"
LESSONS = "lessons.json"


def root(home: Path) -> Path:
    """Where all versions stand."""
    return home / "versions"


def write(home: Path, name: str, fill: Callable[[Path], None], provenance: dict[str, Any]) -> Path:
    """Create version `name`: `fill` writes its files, then each one's sha256 joins the provenance.

    Raises VersionError where the name is taken or the disk refuses; nothing half-written stays.
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
    """Remove what a dream that was cut off left here: a version that the store does not list was never live.
    Call it under `store.dreams.lock`."""
    for directory in root(home).glob("*@*"):
        if directory.name not in listed:
            shutil.rmtree(directory, ignore_errors=True)


def checksums(directory: Path) -> dict[str, str]:
    """sha256 of every file but the provenance itself, by name."""
    names = sorted(p.name for p in directory.iterdir() if p.is_file() and p.name != PROVENANCE)
    return {name: _sha256(directory / name) for name in names}


def verify(directory: Path) -> None:
    """Raises VersionError unless every file is there and is what was written."""
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


def export(directory: Path, target: Path) -> None:
    """Copy a verified version to `target`, which must not exist yet. Raises VersionError."""
    verify(directory)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise VersionError(f"{target} exists already: name a new directory")
    try:
        shutil.copytree(directory, target, dirs_exist_ok=True)
    except OSError as e:
        raise VersionError(disk_message(e, target)) from e


def read_json(path: Path) -> Any:
    """Raises VersionError where the file is missing or not valid JSON."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as e:
        raise VersionError(f"version {path.parent.name}: {path.name} cannot be read ({e})") from e


def write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")


def disk_message(error: OSError, path: Path) -> str:
    """One line for a disk that refuses."""
    if error.errno == errno.ENOSPC:
        return f"the disk is full at {path}: free some space and try again, nothing was lost"
    return f"cannot write {path}: {error.strerror}"


def _sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _sync(directory: Path) -> None:
    """Make the files durable before the rename makes them visible."""
    for path in directory.iterdir():
        with path.open("rb") as f:
            os.fsync(f.fileno())
