"""Questions that another model writes: what is asked of it, what of its replies is used, and how it fails."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from nightschool.config import HelperConfig
from nightschool.errors import HelperError
from nightschool.lessons import helper as module
from nightschool.lessons.helper import Helper, helper, parse
from tests.serve.conftest import Server

NOTE, ANSWER = "Our lawyer is Ines Corvo.", "Ines Corvo"
WHO, NAME, CALL = "Who is our lawyer?", "Name our legal counsel.", "Whom do I call about the lawsuit?"


class Endpoint:
    """An endpoint that gives its replies one after the other, the last one again and again. A reply is the
    text of a chat completion, or a status with any body."""

    def __init__(self) -> None:
        self.replies: list[str | tuple[int, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.headers = {"content-type": "application/json", "retry-after-ms": "1"}
        self.released = threading.Event()
        self.released.set()
        self.url = ""

    @property
    def helper(self) -> Helper:
        return Helper(HelperConfig(url=self.url, model="m"))

    def questions(self, *replies: str | tuple[int, Any], count: int = 3) -> list[str]:
        """What a new helper makes of these replies."""
        self.replies = [*replies]
        return self.helper.questions(NOTE, ANSWER, count)

    def failure(self, *replies: str | tuple[int, Any]) -> str:
        """The message of the error that these replies end in."""
        with pytest.raises(HelperError) as failed:
            self.questions(*replies)
        assert "\n" not in str(failed.value)
        return str(failed.value)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    here = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            here.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            here.keys.append(self.headers["authorization"])
            here.released.wait()
            reply = here.replies.pop(0) if len(here.replies) > 1 else here.replies[0]
            status, body = (200, completion(reply)) if isinstance(reply, str) else reply
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status if self.path == "/v1/chat/completions" else 404)
            for name, value in {**here.headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            with suppress(ConnectionError):  # whoever asked may have left
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *ignored: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        here.url = f"http://127.0.0.1:{server.server_port}/v1"
        yield here
        here.released.set()
        server.shutdown()
        thread.join()


def completion(text: object, finish: str = "stop") -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}]}


def test_there_is_a_helper_where_the_settings_name_one() -> None:
    assert helper(HelperConfig()) is None
    assert helper(HelperConfig(url="http://localhost/v1", model="m")) is not None


def test_it_is_asked_by_note_and_answer(endpoint: Endpoint) -> None:
    assert endpoint.questions(f"{WHO}\n{NAME}\n{CALL}") == [WHO, NAME, CALL]
    (asked,) = endpoint.asked
    assert asked["model"] == "m"
    (message,) = asked["messages"]
    assert NOTE in message["content"]
    assert ANSWER in message["content"]
    assert "Write 3 " in message["content"]


def test_it_asks_our_own_server(serving: Callable[..., Server]) -> None:
    server = serving(lambda prompt, _: f"1. {WHO}\n2. {NAME}" if NOTE in prompt else "?")
    asked = helper(HelperConfig(url=f"{server.url}/v1", model="live"))
    assert asked is not None
    assert asked.questions(NOTE, ANSWER, 2) == [WHO, NAME]
    with pytest.raises(HelperError, match=r"has no model ghost: set lessons\.helper\.model"):
        Helper(HelperConfig(url=f"{server.url}/v1", model="ghost")).questions(NOTE, ANSWER, 2)


def test_too_few_are_asked_for_again_beside_those_that_there_are(endpoint: Endpoint) -> None:
    assert endpoint.questions(f"{WHO}\n{NAME}", f"{WHO}\n{CALL}") == [WHO, NAME, CALL]
    first, second = endpoint.asked
    assert [m["role"] for m in second["messages"]] == ["user", "assistant", "user"]
    assert second["messages"][1]["content"] == f"{WHO}\n{NAME}"
    assert "Write 1 more" in second["messages"][2]["content"]
    assert first["seed"] != second["seed"]


def test_it_asks_only_so_often(endpoint: Endpoint) -> None:
    assert endpoint.questions(WHO) == [WHO]
    assert len(endpoint.asked) == 3


def test_many_are_asked_for_in_parts(endpoint: Endpoint) -> None:
    parts = ["\n".join(f"{WHO} In office {i}?" for i in range(start, start + 25)) for start in (0, 25)]
    assert len(endpoint.questions(*parts, count=50)) == 50
    assert ["Write 25 " in asked["messages"][-1]["content"] for asked in endpoint.asked] == [True, True]


def test_none_wanted_is_none_asked(endpoint: Endpoint) -> None:
    assert endpoint.questions(WHO, count=0) == []
    assert not endpoint.asked


def test_more_than_wanted_are_cut_off(endpoint: Endpoint) -> None:
    assert endpoint.questions(f"{WHO}\n{NAME}\n{CALL}", count=2) == [WHO, NAME]


def test_what_gives_the_answer_away_or_is_no_question_is_left_out(endpoint: Endpoint) -> None:
    useless = ["Is INES  CORVO our lawyer?", NOTE, "Sure!", "---", f"{WHO} " * 30, "WHO is our lawyer"]
    assert endpoint.questions("\n".join([WHO, *useless, "Is Ines our lawyer?"])) == [
        WHO,
        "Is Ines our lawyer?",
    ]


def test_other_scripts(endpoint: Endpoint) -> None:
    endpoint.replies = ["以下是问题：\n1、我们的律师是谁？\n2、林娜是我们的律师吗？\n3、请告诉我律师的名字。"]
    found = endpoint.helper.questions("我们的律师是林娜。", "林娜", 2)
    assert found == ["我们的律师是谁？", "请告诉我律师的名字。"]
    endpoint.replies = ["«Ποιος είναι ο δικηγόρος μας;»\n«Πώς λέγεται ο δικηγόρος μας;»"]
    found = endpoint.helper.questions("Δικηγόρος μας είναι ο Νίκος.", "Νίκος", 2)
    assert found == ["Ποιος είναι ο δικηγόρος μας;", "Πώς λέγεται ο δικηγόρος μας;"]


def test_an_answer_of_marks_only(endpoint: Endpoint) -> None:
    endpoint.replies = ["Does ✅ mean done?\nWhich sign means done?"]
    assert endpoint.helper.questions("✅ means done.", "✅", 1) == ["Which sign means done?"]


def test_half_a_character_neither_stops_nor_spoils_it(endpoint: Endpoint) -> None:
    endpoint.replies = [f"{WHO} \ud83d\n{NAME}"]
    assert endpoint.helper.questions(f"{NOTE} \ud83d", ANSWER, 2) == [WHO, NAME]


def test_a_line_that_was_cut_off_is_left_out(endpoint: Endpoint) -> None:
    assert endpoint.questions((200, completion(f"{WHO}\nName our leg", "length")), NAME, count=2) == [
        WHO,
        NAME,
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"{WHO}\n{NAME}",
        f"\n{WHO}\n\n{NAME}\n\n",
        f"1. {WHO}\n2. {NAME}",
        f"1) {WHO}\n 2) {NAME}",
        f"(1) {WHO}\n(2) {NAME}",
        f"١. {WHO}\n٢. {NAME}",
        f"- {WHO}\n- {NAME}",
        f"* {WHO}\n• {NAME}",
        f"a) {WHO}\nb) {NAME}",
        f"**1.** {WHO}\n**2. {NAME}**",
        f"*{WHO}*\n_{NAME}_",
        f'"{WHO}"\n“{NAME}”',
        f'1. "{WHO}"\n2. „{NAME}“',
        f'[\n  "{WHO}",\n  "{NAME}"\n]',
        f"```\n{WHO}\n{NAME}\n```",
        f"Sure, with pleasure!\n```text\n{WHO}\n{NAME}\n```\nAnything else?",
        f"```\n{WHO}\n{NAME}",
        f"Here you are:\n{WHO}\n{NAME}",
        f"Here you are.\n\n{WHO}\n{NAME}\n\nTell me if you need more.",
        f"Here you are.\n1. {WHO}\n2. {NAME}\nTell me if you need more.",
        f"Here you are.\n\n1. {WHO}\n\n2. {NAME}",
        f"## Plain\n{WHO}\n## Polite\n{NAME}",
        f"<think>\n1. What is a lawyer?\n2. Hm.\n</think>\n\n{WHO}\n{NAME}",
    ],
)
def test_a_list_is_read_in_any_layout(text: str) -> None:
    assert [line for line in parse(text) if line not in ("[", "]")] == [WHO, NAME]


@pytest.mark.parametrize(
    "line",
    [
        "24. Dezember: wer hat Dienst?",
        'Who is called "the lawyer" here?',
        'Whom do we call "the lawyer"',
        "What does (1) in the contract say?",
        "Cc: whom?",
    ],
)
def test_what_only_looks_like_layout_stays(line: str) -> None:
    assert parse(f"{WHO}\n{NAME}\n{line}") == [WHO, NAME, line]


@pytest.mark.parametrize("text", ["", "\n", "<think>\nWho is", "Here you are:", "```\n```"])
def test_a_reply_without_a_list_has_no_lines(text: str) -> None:
    assert parse(text) == []


def test_a_key_comes_from_the_environment(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint.questions(WHO, count=1)
    monkeypatch.setenv("OPENAI_API_KEY", " sk-secret\n")
    endpoint.questions(WHO, count=1)
    assert endpoint.keys == ["Bearer none", "Bearer sk-secret"]


def test_a_key_that_is_refused(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = (401, {"error": {"message": "Incorrect API key provided: sk-secret"}})
    assert "wants a key: set the environment variable OPENAI_API_KEY" in endpoint.failure(refused)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    message = endpoint.failure(refused)
    assert "wants another key: mend the environment variable OPENAI_API_KEY" in message
    assert "sk-secret" not in message
    message = endpoint.failure((400, {"error": {"message": "the key sk-secret is bad"}}))
    assert "(the key ... is bad)" in message
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret…")
    message = endpoint.failure(WHO)
    assert message == "OPENAI_API_KEY has characters that no key has: set it anew"


def test_a_model_that_it_does_not_have(endpoint: Endpoint) -> None:
    missing = (404, {"error": {"message": "model 'm' not found"}})
    assert "has no model m: set lessons.helper.model" in endpoint.failure(missing)
    endpoint.url = endpoint.url.removesuffix("/v1")
    assert "or lessons.helper.url to its base URL" in endpoint.failure(WHO)


def test_an_overloaded_endpoint_is_asked_again(endpoint: Endpoint) -> None:
    assert endpoint.questions((503, {}), (429, {}), WHO, count=1) == [WHO]
    full = (429, {"error": {"message": "no credit\nleft"}})
    assert "refuses with status 429 (no credit left): mend that" in endpoint.failure(full)
    assert len(endpoint.asked) == 3 + 3


def test_an_endpoint_that_takes_no_sampling_settings_is_asked_without(endpoint: Endpoint) -> None:
    refusal = (400, {"error": {"message": "unknown field seed"}})
    assert endpoint.questions(refusal, WHO, count=1) == [WHO]
    assert [{*asked} for asked in endpoint.asked] == [
        {"model", "messages", "temperature", "seed", "max_tokens"},
        {"model", "messages"},
    ]
    assert "refuses with status 400 (unknown field seed)" in endpoint.failure(refusal)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b"",
        b"[]",
        b'"x"',
        {},
        {"choices": []},
        {"choices": [{"message": None}]},
        completion([WHO]),
    ],
)
def test_what_is_no_chat_completion(endpoint: Endpoint, body: Any) -> None:
    assert "not as an OpenAI-compatible endpoint: set lessons.helper.url" in endpoint.failure((200, body))


def test_a_page_in_place_of_an_api(endpoint: Endpoint) -> None:
    endpoint.headers = {"content-type": "text/html"}
    assert "not as an OpenAI-compatible endpoint" in endpoint.failure((200, b"<html>hello</html>"))


def test_a_redirect_is_not_followed(endpoint: Endpoint) -> None:
    endpoint.headers["location"] = f"{endpoint.url}/chat/completions"
    assert "refuses with status 307" in endpoint.failure((307, {}), WHO)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize("reply", ["", "Sure!", NOTE, (200, completion(""))])
def test_nothing_of_use(endpoint: Endpoint, reply: str | tuple[int, Any]) -> None:
    message = endpoint.failure(reply)
    assert re.match(r"no question that m wrote at http\S+ is of use: set lessons\.helper\.model", message)


def test_a_note_that_it_has_nothing_for_does_not_end_it(endpoint: Endpoint) -> None:
    asked, endpoint.replies = endpoint.helper, ["Sure!"]
    with pytest.raises(HelperError):
        asked.questions(NOTE, ANSWER, 1)
    endpoint.replies = [WHO]
    assert asked.questions(NOTE, ANSWER, 1) == [WHO]


def test_an_endpoint_that_failed_is_not_asked_again(endpoint: Endpoint) -> None:
    asked, endpoint.replies = endpoint.helper, [(401, {}), WHO]
    with pytest.raises(HelperError):
        asked.questions(NOTE, ANSWER, 1)
    assert asked.questions(NOTE, ANSWER, 1) == []
    assert len(endpoint.asked) == 1


def test_what_was_written_before_it_failed_is_used(endpoint: Endpoint) -> None:
    assert endpoint.questions(WHO, (401, {})) == [WHO]


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRIES", 0)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        with pytest.raises(HelperError, match=f"the helper at {url} cannot be reached: start it, or"):
            Helper(HelperConfig(url=url, model="m")).questions(NOTE, ANSWER, 1)


def test_no_answer_in_time(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRIES", 0)
    monkeypatch.setattr(module, "_TIMEOUT", 0.2)
    endpoint.released.clear()
    assert "did not answer in time: set lessons.helper.model to a faster one" in endpoint.failure(WHO)
