"""Whatever a client sends within the published schema: no crash, and errors in its API's shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok

from tests.serve.conftest import Server


@pytest.mark.slow
def test_no_request_breaks_the_server(serving: Callable[..., Server]) -> None:
    server = serving(lambda *_: "yes")
    published = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [found.ok() for found in published.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) >= 10
    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(max_examples=25, suppress_health_check=list(HealthCheck))
        def probe(case: schemathesis.Case[Any]) -> None:
            response = case.call()
            assert response.status_code < 500, response.text
            assert str(response.status_code) in case.operation.definition.raw["responses"]
            if response.status_code >= 400:
                error = response.json()["error"]
                openai = set() if case.operation.path.startswith("/v1/messages") else {"param", "code"}
                assert set(error) == {"message", "type"} | openai
                assert "\n" not in error["message"]

        probe()
