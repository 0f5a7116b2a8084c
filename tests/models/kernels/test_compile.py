"""Where the kernels cannot be compiled. Runs without a compiler, too."""

import pytest

from nightschool.models.kernels import native


def test_no_compiler_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert native.library.__wrapped__() is None


def test_what_does_not_compile_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(native, "_FLAGS", ["--no-such-flag"])
    assert native.library.__wrapped__() is None
