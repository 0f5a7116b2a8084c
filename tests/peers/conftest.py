"""One server with the embedded model for all tests, and a summary by the peers' files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from bench.server import nightschool

HERE = Path(__file__).parent
ORIGIN = "https://web.mydomain.fr"  # of a page that may use the server


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # Where answers are compared the peers' tests turn their prompt caches off, too: in bfloat16 a prefix that
    # comes from the cache rounds in another way.
    settings = ("--model.threads", "1", "--serve.allowed_origins", ORIGIN, "--serve.prefix_cache_tokens", "0")
    with nightschool(tmp_path_factory.mktemp("peers"), *settings) as address:
        yield address


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=300) as opened:
        yield opened


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{url}/v1", api_key="dummy", timeout=300, max_retries=0) as opened:
        yield opened


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed, total = Counter[str](), Counter[str]()
    for outcome in ("passed", "failed", "error", "xfailed"):
        for report in terminalreporter.stats.get(outcome, []):
            suite = _suite(report.nodeid)
            if suite and (report.when == "call" or outcome == "error"):
                total[suite] += 1
                passed[suite] += outcome == "passed"
    for suite in sorted(total):
        terminalreporter.write_line(f"{suite}: {passed[suite]} of {total[suite]}")
    if total:
        terminalreporter.write_line(f"peers' expectations: {passed.total()} of {total.total()}")


def _suite(nodeid: str) -> str:
    """A peer's file, such as `llama_cpp/test_tool_call`; none of what is not under this folder."""
    _, here, rest = nodeid.partition("tests/peers/")
    return rest.partition(".py")[0] if here else ""
