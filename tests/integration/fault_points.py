"""A small day of an engine, with one write that fails: what was acknowledged is there and ends, what was refused is
not."""

import asyncio
import contextlib
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from lodestream_server.engine import attempt, prerequisites
from lodestream_server.engine.batches import NewBatch, NewStep
from lodestream_server.engine.models import CancelOrder
from lodestream_server.executors.port import Broke, Done
from lodestream_server.runs.fold import replay
from lodestream_server.runs.states import RunKind
from lodestream_server.store.paging import PageRequest
from lodestream_server.store.reading import RunFilter

from lodestream.errors import DiskFull, RunAlreadyEnded, StoreUnavailable
from tests.integration.clocks import ManualClock
from tests.integration.engine_world import SCOPE, job
from tests.integration.faulty_store import break_at
from tests.integration.played_pool import PlayedPool, played_engine

POLICY = {"retryPolicy": {"maxRetries": 1, "retryDelay": 1}}


async def live_through(data_dir: Path, number: int, fault: str, monkeypatch: Any) -> bool:
    """Whether the fault struck at all. Raises AssertionError where a promise is broken."""
    for module in (attempt, prerequisites):
        monkeypatch.setattr(module, "_AGAIN_S", 0.005)
    clock, pool = ManualClock(), PlayedPool(3)
    engine = await played_engine(data_dir, pool, clock)
    faulty = break_at(engine._store, number, fault)
    acknowledged: set[str] = set()
    refused: set[str] = set()

    async def submitted(name: str, submit: Awaitable[Any]) -> Any:
        try:
            made = await submit
        except (DiskFull, StoreUnavailable):
            refused.add(name)
            return None
        acknowledged.add(name)
        return made

    finishing = asyncio.create_task(_finish_all(pool, clock))
    for turn in range(4):
        await submitted(f"plain {turn}", engine.submit(job("Wait", name=f"plain {turn}", extras=POLICY)))
    steps = tuple(
        NewStep(key, job("Wait", kind=RunKind.OPERATION, name=f"batch {key}"), needs)
        for key, needs in (("a", ()), ("b", ("a",)))
    )
    await submitted("batch", engine.groups.submit(NewBatch(SCOPE, "batch", steps)))
    last = await submitted("cancelled", engine.submit(job("Wait", name="cancelled")))
    if last is not None:
        with contextlib.suppress(DiskFull, StoreUnavailable, RunAlreadyEnded):
            await engine.cancel(SCOPE, last.run.run_id, CancelOrder())
    names = await _ended_names(engine)
    finishing.cancel()
    await asyncio.gather(finishing, return_exceptions=True)
    await engine.close()
    assert {"batch a" in names, "batch b" in names} == {"batch" in acknowledged}
    assert acknowledged - {"batch"} <= names
    assert not refused & names
    await _reopened(data_dir, names)
    return faulty.struck


async def _ended_names(engine: Any) -> set[str]:
    names = set()
    for kind in RunKind:
        page = await engine.list(SCOPE, RunFilter(kind), PageRequest(1, 100))
        for run in page.items:
            async with asyncio.timeout(20):
                ended = await engine.ended(SCOPE, run.run_id)
            events = await engine.events(SCOPE, run.run_id)
            assert [event.sequence for event in events] == list(range(1, len(events) + 1))
            assert replay(events) == ended
            assert run.name not in names
            names.add(run.name)
    return names


async def _reopened(data_dir: Path, names: set[str]) -> None:
    """The next server finds the same, with nothing left to do."""
    engine = await played_engine(data_dir, PlayedPool(1), ManualClock())
    assert await _ended_names(engine) == names
    assert await engine.queue() == ()
    await engine.close()


async def _finish_all(pool: PlayedPool, clock: ManualClock) -> None:
    turn = 0
    while True:
        turn += 1
        for seat in [*pool.begun.values()]:
            seat.end(Broke("INTERNAL", "", "Wait") if turn % 5 == 0 else Done())
        clock.advance(1.0)
        await asyncio.sleep(0.004)
