"""The zip of all files of a run: made once, and gone with the files it was made of."""

import asyncio
import threading
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.keeping import Keep, Policy
from lodestream_server.engine.models import CancelOrder, RetryOrder
from lodestream_server.services import archives
from lodestream_server.services.archives import Archives
from lodestream_server.store.zips import add_file

from tests.integration.clocks import ManualClock
from tests.integration.engine_world import SCOPE, appears, engine_at, job

DAY = 86_400


@pytest.fixture
async def clock() -> ManualClock:
    """A clock that the test moves."""
    return ManualClock()


@pytest.fixture
async def engine(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Engine]:
    """An engine that keeps files for a day, and sweeps when the test says so."""
    policy = Policy(Keep(artifacts_days=1), every_s=10_000 * DAY)
    async with engine_at(tmp_path / "data", clock, retention=policy) as opened:
        yield opened


async def _cancelled(engine: Engine, folder: Path) -> str:
    """A run that left a file and can be retried."""
    waits = job("CountThenWait", gate=folder / "gate", begun=folder / "begun")
    run_id = (await engine.submit(waits)).run.run_id
    await appears(folder / "begun")
    await engine.cancel(SCOPE, run_id, CancelOrder())
    return run_id


async def _archive(engine: Engine, made: Archives, run_id: str) -> archives.Archive:
    return await made.of(await engine.get(SCOPE, run_id), await engine.artifacts(SCOPE, run_id))


async def test_the_zip_goes_when_retention_takes_the_files(engine, clock):
    """Nobody could ask for it any more, and the disk would not be given back."""
    made = Archives(engine)
    run = await engine.ended(SCOPE, (await engine.submit(job("Count"))).run.run_id)
    archive = await _archive(engine, made, run.run_id)
    with zipfile.ZipFile(archive.path) as opened:
        assert opened.namelist() == ["Count/count.txt"]
    clock.advance(DAY + 1)
    assert (await engine.retention.sweep()).runs_emptied == 1
    await engine._leavings.close()
    assert list(archive.path.parent.iterdir()) == []


async def test_the_zip_goes_when_a_retry_drops_the_files(engine, tmp_path):
    """`preserveOriginalResults` false: they are to be gone, not only out of sight."""
    run_id = await _cancelled(engine, tmp_path)
    archive = await _archive(engine, Archives(engine), run_id)
    await engine.retrying.retry(SCOPE, run_id, RetryOrder(keep_original=False))
    await engine._leavings.close()
    assert not archive.path.exists()


async def test_a_zip_that_is_being_made_while_the_files_go_does_not_stay(engine, clock, monkeypatch):
    """Whichever of the two ends first."""
    run = await engine.ended(SCOPE, (await engine.submit(job("Count"))).run.run_id)
    artifacts = await engine.artifacts(SCOPE, run.run_id)
    begun, going_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slowly(archive: zipfile.ZipFile, name: str, path: Path) -> None:
        add_file(archive, name, path)
        loop.call_soon_threadsafe(begun.set)
        going_on.wait(20)

    monkeypatch.setattr(archives, "add_file", slowly)
    made = Archives(engine)
    making = asyncio.create_task(made.of(run, artifacts))
    await begun.wait()
    clock.advance(DAY + 1)
    await engine.retention.sweep()
    await engine._leavings.close()
    going_on.set()
    with pytest.raises(FileNotFoundError):
        await making
    assert list((engine.store.files.data_dir / "archives").iterdir()) == []


async def test_what_an_earlier_server_left_is_removed_at_the_start(engine):
    """Their checksums are known to nobody any more."""
    left = engine.store.files.archive("run")
    left.write_bytes(b"old")
    Archives(engine)
    assert not left.exists()
