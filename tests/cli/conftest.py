"""The server of tests/serve, for what talks to it."""

from tests.serve.conftest import server as server
from tests.serve.conftest import serving as serving
