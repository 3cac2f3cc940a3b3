"""An event log that a run leaves becomes a dataset of the project once the run has completed, whenever the server was
stopped meanwhile; and only once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lodestream_server.engine.datasets import Datasets, NewDataset
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder
from lodestream_server.runs.states import State
from lodestream_server.store.paging import PageRequest
from lodestream_server.store.records import Dataset

from tests.integration.delivery_world import eventually
from tests.integration.engine_world import SCOPE, engine_at, job, until


async def _begun(engine: Engine, folder: Path) -> str:
    """A run that has left its log and goes on."""
    async with await engine.datasets.upload(NewDataset(SCOPE, "A log", "log.csv")) as upload:
        await upload.write(b"case,activity\n1,a\n")
        dataset_id = (await upload.finish()).dataset_id
    run_id = (await engine.submit(job("EnrichThenWait", datasetId=dataset_id, gate=folder / "gate"))).run.run_id
    await until(engine, run_id, "phase-completed")
    return run_id


async def _left(engine: Engine) -> list[Dataset]:
    page = await engine.datasets.list(SCOPE, PageRequest())
    return [one for one in page.items if one.name == "Enriched"]


async def _settled(engine: Engine) -> None:
    """Nothing is being decided any more."""
    while tasks := engine._prerequisites._tasks:
        await asyncio.wait(tasks)


async def test_a_log_that_was_left_before_a_restart_becomes_a_dataset(tmp_path):
    """The phase that left it is not run again, and nobody says it a second time."""
    async with engine_at(tmp_path / "data") as engine:
        run_id = await _begun(engine, tmp_path)
    (tmp_path / "gate").touch()
    async with engine_at(tmp_path / "data") as engine:
        assert (await engine.ended(SCOPE, run_id)).state is State.COMPLETED
        assert len(await eventually(lambda: _left(engine))) == 1


async def test_a_server_that_is_stopped_before_it_has_made_the_dataset_makes_it_at_its_next_start(
    tmp_path, monkeypatch: pytest.MonkeyPatch
):
    """Copying and describing a large log takes its time. One that somebody deletes afterwards stays deleted."""
    adopt, begun = Datasets.adopt, asyncio.Event()

    async def never(*_: Any) -> Any:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Datasets, "adopt", never)
    async with engine_at(tmp_path / "data") as engine:
        await _begun(engine, tmp_path)
        (tmp_path / "gate").touch()
        await begun.wait()
    monkeypatch.setattr(Datasets, "adopt", adopt)
    async with engine_at(tmp_path / "data") as engine:
        (dataset,) = await eventually(lambda: _left(engine))
        await _settled(engine)
        await engine.datasets.delete(SCOPE, dataset.dataset_id)
    async with engine_at(tmp_path / "data") as engine:
        await _settled(engine)
        assert await _left(engine) == []


async def test_what_a_cancelled_run_left_is_no_dataset(tmp_path):
    """Nor after a restart."""
    async with engine_at(tmp_path / "data") as engine:
        run_id = await _begun(engine, tmp_path)
        await engine.cancel(SCOPE, run_id, CancelOrder())
    async with engine_at(tmp_path / "data") as engine:
        await _settled(engine)
        assert await _left(engine) == []
        assert engine._prerequisites._leaving == set()
