"""Servers killed under load: what was acknowledged is there, once, and ends. Twenty kills here, 200 in
`tests/acceptance`."""

from pathlib import Path

import pytest

from tests.integration.kills import survive


@pytest.mark.timeout(300)  # lives are as long as a start takes here: seconds, where the machine is busy
async def test_killed_servers_lose_nothing_they_acknowledged(tmp_path: Path):
    """Runs, batches and cancellations; the last server finishes what the others left."""
    assert await survive(tmp_path, kills=20, seed=1) > 0
