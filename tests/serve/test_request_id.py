"""An id for each request."""

import pytest

from tests.serve.conftest import Server


def test_each_answer_has_its_own(server: Server) -> None:
    first, second = (server.http.get("/v1/models").headers["x-request-id"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize(("own", "kept"), [("trace-7", True), ("a b", False), ("x" * 300, False)])
def test_a_clients_own_comes_back_if_it_can(server: Server, own: str, kept: bool) -> None:
    refused = server.http.get("/nowhere", headers={"X-Request-Id": own})
    assert refused.status_code == 404
    assert (refused.headers["x-request-id"] == own) is kept
