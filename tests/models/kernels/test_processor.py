"""Reading /proc/cpuinfo."""

from pathlib import Path

import pytest

from nightschool.models.kernels.processor import cpuinfo


def test_the_first_line_that_begins_with_a_name_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "processor\t: 0\nmodel name\t: EPYC\nflags\t\t: fpu avx2\nflags\t\t: other\n"
    monkeypatch.setattr(Path, "exists", lambda _: True)
    monkeypatch.setattr(Path, "read_text", lambda _: text)
    assert cpuinfo("flags", "Features") == "fpu avx2"
    assert cpuinfo("model name") == "EPYC"
    assert cpuinfo("bogomips") == ""


def test_other_systems_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert cpuinfo("flags") == ""
