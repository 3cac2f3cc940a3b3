"""Every test that takes `serve` runs twice: over a real gRPC server on a socket, and over the LocalChannel."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.channels.world import Worlds


@pytest.fixture(params=["network", "local"])
async def serve(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Worlds]:
    """Starts servers of the contract; stops them after the test."""
    worlds = Worlds(request.param, tmp_path)
    yield worlds
    await worlds.stop()
