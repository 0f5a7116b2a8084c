"""What no web page, and nobody without the key, may do."""

from collections.abc import Callable

import httpx
import pytest
from pydantic import SecretStr

from nightschool.config import ServeConfig
from nightschool.errors import NightschoolError
from nightschool.serve.guard import check_binding, is_local
from tests.serve.conftest import Server

ASK = {"messages": [{"role": "user", "content": "x"}]}


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("localhost", True),
        ("LocalHost.", True),
        ("chat.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("[::1]", True),
        ("::1", True),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("0.0.0.0", False),
        ("192.168.1.7", False),
        ("", False),
    ],
)
def test_which_names_are_this_machine(name: str, local: bool) -> None:
    assert is_local(name) is local


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8420", "192.168.1.7", "[::2", "x@evil.example"]
)
def test_a_foreign_host_is_refused(server: Server, host: str) -> None:
    refused = server.http.get("/v1/sessions", headers={"Host": host})
    assert refused.status_code == 403
    assert "serve.allowed_hosts" in refused.json()["error"]["message"]


@pytest.mark.parametrize("host", ["localhost:1", "app.localhost", "[::1]:8420", "night.example:8420"])
def test_own_and_allowed_hosts_are_answered(serving: Callable[..., Server], host: str) -> None:
    server = serving(allowed_hosts="night.example, other.example")
    assert server.http.get("/v1/sessions", headers={"Host": host}).status_code == 200


def test_a_server_that_listens_on_all_is_reached_by_any_address_but_not_by_any_name(
    serving: Callable[..., Server],
) -> None:
    server = serving(host="0.0.0.0", api_key="k")
    key = {"Authorization": "Bearer k"}
    by_address = server.http.get("/v1/sessions", headers={"Host": "192.168.1.7:8420", **key})
    by_name = server.http.get("/v1/sessions", headers={"Host": "evil.example", **key})
    assert (by_address.status_code, by_name.status_code) == (200, 403)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://x"]
)
def test_a_foreign_page_changes_nothing(server: Server, origin: str) -> None:
    refused = [
        server.http.post("/v1/dreams", headers={"Origin": origin}),
        server.http.post("/v1/chat/completions", json=ASK, headers={"Origin": origin}),
        server.http.post("/v1/dreams", headers={"Sec-Fetch-Site": "cross-site"}),
    ]
    assert [r.status_code for r in refused] == [403] * 3
    assert server.dreams == []
    assert server.store.sessions.count() == 0


def preflight(server: Server, origin: str) -> httpx.Response:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    return server.http.options("/v1/chat/completions", headers={"Origin": origin, **asked})


@pytest.mark.parametrize("origin", ["http://localhost:5173", "https://chat.example", "http://[::1]:3000"])
def test_a_page_of_this_machine_or_an_allowed_one_may(serving: Callable[..., Server], origin: str) -> None:
    server = serving(allowed_origins="https://chat.example")
    answer = server.http.post("/v1/chat/completions", json=ASK, headers={"Origin": origin})
    for given in (preflight(server, origin), answer):
        assert given.status_code == 200
        assert given.headers["access-control-allow-origin"] == origin
    assert "x-session-id" in answer.headers["access-control-expose-headers"].lower()


def test_any_page_may_where_that_was_chosen(serving: Callable[..., Server]) -> None:
    assert preflight(serving(allowed_origins="*"), "https://evil.example").status_code == 200


def test_a_page_cannot_send_json_that_its_browser_does_not_ask_about(server: Server) -> None:
    body = b'{"messages": [{"role": "user", "content": "x"}]}'
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        page = {"Content-Type": kind, "Origin": "http://localhost:5173"}
        assert server.http.post("/v1/chat/completions", content=body, headers=page).status_code == 400
        curl = server.http.post("/v1/chat/completions", content=body, headers={"Content-Type": kind})
        assert curl.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic geheim"}, 401),
        ({"x-api-key": "gehéim"}, 401),
        ({"Authorization": "Bearer gehéim-1"}, 401),
        ({"Authorization": "bearer geheim-1"}, 200),
        ({"x-api-key": "geheim-1"}, 200),
    ],
)
def test_a_key_is_asked_for(serving: Callable[..., Server], headers: dict[str, str], status: int) -> None:
    server = serving(api_key="geheim-1")
    raw = {name.encode(): value.encode() for name, value in headers.items()}
    answer = server.http.get("/v1/models", headers=raw)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "invalid_api_key"
    assert server.http.get("/health").json() == {"status": "ok"}


def test_a_page_is_told_that_a_key_is_missing(serving: Callable[..., Server]) -> None:
    server, origin = serving(api_key="k"), "http://localhost:5173"
    assert preflight(server, origin).status_code == 200
    refused = server.http.get("/v1/models", headers={"Origin": origin})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, origin)


def test_without_a_key_nothing_but_this_machine_is_listened_on() -> None:
    check_binding(ServeConfig())
    check_binding(ServeConfig(host="::1"))
    check_binding(ServeConfig(host="0.0.0.0", api_key=SecretStr("k")))
    with pytest.raises(NightschoolError, match="NIGHTSCHOOL_SERVE__API_KEY"):
        check_binding(ServeConfig(host="0.0.0.0"))


def test_the_key_is_recorded_nowhere() -> None:
    config = ServeConfig(api_key=SecretStr("geheim"))
    assert "geheim" not in f"{config!r} {config.model_dump()} {config.model_dump_json()}"
    assert "api_key" not in config.model_dump()
