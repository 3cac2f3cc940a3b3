"""`lodestream verify`, which comes with the mock, runs real work over both doors of the real server."""

import json

import pytest

from tests.support.served import served

pytestmark = pytest.mark.acceptance


def test_the_real_server_keeps_the_contract_that_the_mock_replays(tmp_path):
    """No drift: an upload, an operation and a job, every answer on the way, and the rules of streams."""
    with served(tmp_path, "--rest", "127.0.0.1:0") as server:
        rest = json.loads((tmp_path / "ready.json").read_text())["rest"]
        told = server.run("verify", "--grpc", server.address, "--rest", rest)
    assert (told.code, ", 0 drift from the contract" in told.out) == (0, True), told.out
