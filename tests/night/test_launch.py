"""A dream beside a server yields to it."""

import subprocess
import sys
from pathlib import Path

import pytest

from nightschool.night import launch
from nightschool.night.launch import yield_to_others

AUTOGROUP = Path("/proc/self/autogroup")


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this Linux does not group processes by session")
def test_a_process_in_a_session_of_its_own_yields_to_all_others() -> None:
    waits = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, start_new_session=True) as process:
        yield_to_others(process.pid)
        group = Path(f"/proc/{process.pid}/autogroup").read_text()
        process.communicate(b"\n")
    assert group.strip().endswith("nice 19")


def test_the_group_of_the_process_gets_the_lowest_priority_if_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "Path", lambda path: tmp_path / path.lstrip("/"))
    (tmp_path / "proc" / "7").mkdir(parents=True)
    (tmp_path / "proc" / "7" / "autogroup").write_text("/autogroup-1 nice 0\n")
    yield_to_others(7)
    assert (tmp_path / "proc" / "7" / "autogroup").read_text() == "19"
    yield_to_others(8)  # as where Linux has no such groups, or the process has ended
    assert not (tmp_path / "proc" / "8").exists()
