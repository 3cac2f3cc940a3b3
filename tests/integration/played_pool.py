"""Seats that a test plays: no processes, so that thousands of attempts take seconds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from lodestream_server.engine.datasets import Datasets
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.ids import RandomIds
from lodestream_server.engine.keys import Keys
from lodestream_server.executors.describing import Describer
from lodestream_server.executors.port import Assignment, Died, Outcome, Seat, Signal, Stopped, Told
from lodestream_server.runs.bodies import PhaseCompleted, PhaseStarted
from lodestream_server.store.store import Store

from tests.integration.engine_world import CATALOGUE, settings


class PlayedSeat:
    """A seat whose outcome the test decides; stopping works at once."""

    node = "played"
    pid = 0

    def __init__(self, pool: "PlayedPool") -> None:
        self._pool = pool
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    async def begin(self, assignment: Assignment) -> None:
        self._pool.begun[assignment.run_id] = self

    async def words(self) -> AsyncIterator[Told | Outcome]:
        yield Told(((PhaseStarted("Wait", 1), 0.0), (PhaseCompleted("Wait", 0.0), 0.0)))
        yield await self.outcome

    def ask_to_stop(self) -> None:
        self.end(Stopped())

    def signal(self, which: Signal) -> None:
        self.end(Died("WORKER_KILLED", "killed", which))

    def end(self, outcome: Outcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    async def release(self) -> None:
        self._pool.free += 1
        self._pool.freed()


class PlayedPool:
    """Implements `Executor` with played seats."""

    def __init__(self, seats: int) -> None:
        self.seats = self.free = seats
        self.begun: dict[str, PlayedSeat] = {}
        self.freed: Callable[[], None] = lambda: None

    async def open(self, freed: Callable[[], None]) -> None:
        self.freed = freed

    async def take(self) -> Seat:
        self.free -= 1
        return PlayedSeat(self)

    async def close(self) -> None:
        pass


async def played_engine(
    data_dir: Path, pool: PlayedPool, clock: Any, dice: Callable[[], float] | None = None
) -> Engine:
    """A started engine with the tests' catalogue over played seats; close it yourself."""
    store, ids = await Store.open(data_dir), RandomIds()
    datasets = Datasets(store, Describer("", {}, data_dir / "log", 1.0, 0), clock, ids, 1)
    engine = Engine(
        store,
        pool,
        CATALOGUE,
        datasets,
        Keys(store, clock, ids),
        settings=settings(),
        clock=clock,
        ids=ids,
        dice=dice or (lambda: 0.5),
    )
    await engine.start()
    return engine
