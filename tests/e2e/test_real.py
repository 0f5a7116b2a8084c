"""The whole loop on the real embedded model, through the doors that a user takes."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from nightschool.cli.demo import MORNING, unseen
from nightschool.models.embedded import ensure
from nightschool.store import Store

# A short night: enough to learn a house format, not to polish it.
SETTINGS = {"learn.steps": "10", "learn.held_back": "24", "learn.variations": "48"}


@pytest.fixture
def client() -> Iterator[OpenAI]:
    """Of `nightschool serve` on a free port."""
    ensure()
    process = subprocess.Popen(
        [sys.executable, "-m", "nightschool", "serve", "--serve.port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    url = re.findall(r"http://[^/]+", process.stdout.readline())[0]
    with OpenAI(base_url=f"{url}/v1", api_key="none", timeout=300, max_retries=0) as opened:
        yield opened
    process.terminate()
    process.wait()
    process.stdout.close()


def test_a_session_in_the_morning_is_in_the_weights_by_evening(client: OpenAI, home: Path) -> None:
    def ask(text: str, *before: str, model: str = "live") -> tuple[str, str, str]:
        """Answer, the version that gave it, session."""
        roles = ("user", "assistant")
        messages = cast(
            list[ChatCompletionMessageParam],
            [{"role": roles[i % 2], "content": t} for i, t in enumerate((*before, text))],
        )
        raw = client.chat.completions.with_raw_response.create(
            model=model,
            messages=messages,
            temperature=0,
            max_tokens=48,
        )
        answer = raw.parse()
        return (answer.choices[0].message.content or "").strip(), answer.model, raw.headers["x-session-id"]

    # Morning: the user edits what is wrong, then likes the session from inside the chat.
    talk: list[str] = []
    for invoice in MORNING:
        ask(invoice.mail, *talk)
        talk += [invoice.mail, invoice.line]
    said, _, session = ask("/good", *talk)
    assert "will be learned" in said
    with closing(Store.open(home)) as store:
        assert store.sessions.get(session).rating == "good"

    # Night: in a process of its own.
    cases = unseen(8, seed=5)
    before = [ask(c.mail)[0] for c in cases]
    flags = [part for key, value in SETTINGS.items() for part in (f"--{key}", value)]
    night = subprocess.run(
        [sys.executable, "-m", "nightschool", "dream", "--json", *flags],
        capture_output=True,
        text=True,
        check=False,
    )
    assert night.returncode == 0, night.stderr
    version = json.loads(night.stdout)["version"]

    # Evening: the same process, no session in its context.
    after = [ask(c.mail) for c in cases]
    assert {answering for _, answering, _ in after} == {version}
    right = sum(text == c.line for (text, _, _), c in zip(after, cases, strict=True))
    assert right >= 5
    assert sum(text == c.line for text, c in zip(before, cases, strict=True)) == 0

    # And taken back.
    subprocess.run([sys.executable, "-m", "nightschool", "rollback"], check=True, capture_output=True)
    back = [ask(c.mail) for c in cases]
    assert {answering for _, answering, _ in back} == {"base"}
    # Not word for word what it said before: what was read then is kept, and rounds differently.
    assert sum(text == c.line for (text, _, _), c in zip(back, cases, strict=True)) == 0
