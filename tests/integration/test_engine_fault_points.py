"""Every write may fail: nothing is acknowledged falsely, nothing is half there, and the service goes on. A sample here,
every point in `tests/acceptance`."""

from pathlib import Path

import pytest

from tests.integration.fault_points import live_through


@pytest.mark.parametrize("fault", ["SQLITE_FULL", "SQLITE_IOERR"])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 8, 13, 21, 34, 55, 89])
async def test_one_write_that_fails_breaks_no_promise(tmp_path: Path, monkeypatch, number: int, fault: str):
    """What was acknowledged ends; what was refused is not there; log and state agree; the next server agrees too."""
    assert await live_through(tmp_path, number, fault, monkeypatch)
