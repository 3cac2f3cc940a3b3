"""A disk that is truly full: what is under way ends and says so, new work is refused until there is room again."""

import shutil
from collections import namedtuple

import pytest
from lodestream_server.engine.datasets import NewDataset
from lodestream_server.runs.states import State
from lodestream_server.store.reserve import SIZE_BYTES
from lodestream_server.store.store import RESERVE

from lodestream.errors import DiskFull
from tests.integration.engine_world import SCOPE, engine_at, job, until
from tests.integration.faulty_store import fill_up

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def room(monkeypatch):
    """Bytes that the disk has left, as a test likes."""
    left = {"bytes": 0}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, left["bytes"]))
    return left


async def test_a_run_ends_in_the_reserve_and_new_work_waits_for_room(tmp_path, room, caplog):
    """The first commit that fails frees it; runs, batches and uploads are refused until there is enough again."""
    gate = tmp_path / "gate"
    async with engine_at(tmp_path / "data") as engine:
        reserve = tmp_path / "data" / RESERVE
        assert reserve.stat().st_size == SIZE_BYTES
        assert reserve.stat().st_blocks * 512 >= SIZE_BYTES
        run_id = (await engine.submit(job("OnlyWait", gate=gate))).run.run_id
        await until(engine, run_id, "phase-started")
        disk = fill_up(engine.store)
        gate.touch()
        assert (await engine.ended(SCOPE, run_id)).state is State.COMPLETED
        assert not reserve.exists()
        assert any("the disk is full" in record.message for record in caplog.records)
        with pytest.raises(DiskFull):
            await engine.submit(job("Count"))
        with pytest.raises(DiskFull):
            await engine.datasets.upload(NewDataset(SCOPE, "A log"))
        room["bytes"] = SIZE_BYTES
        with pytest.raises(DiskFull):
            await engine.submit(job("Count"))
        room["bytes"] = 10 * SIZE_BYTES
        disk.full = False
        after = (await engine.submit(job("Count"))).run.run_id
        assert (await engine.ended(SCOPE, after)).state is State.COMPLETED
        assert reserve.stat().st_size == SIZE_BYTES


async def test_where_no_reserve_can_be_kept_nothing_is_refused_for_want_of_it(tmp_path, monkeypatch):
    """Files may be limited in size for other reasons."""

    def too_large(*_):
        raise OSError(27, "File too large")

    monkeypatch.setattr("os.posix_fallocate", too_large)
    async with engine_at(tmp_path / "data") as engine:
        assert not (tmp_path / "data" / RESERVE).exists()
        run_id = (await engine.submit(job("Count"))).run.run_id
        assert (await engine.ended(SCOPE, run_id)).state is State.COMPLETED
