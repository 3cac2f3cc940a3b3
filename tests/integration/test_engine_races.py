"""Cancel, completion, failure, death and time limit at the same moment: one of them ends the run, and the log says
which.

The seats are played by the test, so that hundreds of races take seconds; the store is the real one.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path

import pytest
from lodestream_server.engine.datasets import Datasets
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.ids import RandomIds
from lodestream_server.engine.keys import Keys
from lodestream_server.engine.models import CancelOrder
from lodestream_server.executors.describing import Describer
from lodestream_server.executors.port import Assignment, Broke, Died, Done, Outcome, Seat, Signal, Stopped, Told
from lodestream_server.runs.bodies import PhaseCompleted, PhaseStarted
from lodestream_server.runs.fold import replay
from lodestream_server.runs.states import ENDED, RunKind, State
from lodestream_server.store.store import Store

from lodestream.errors import RunAlreadyEnded
from tests.integration.clocks import ManualClock
from tests.integration.engine_world import CATALOGUE, SCOPE, job, settings

OUTCOMES: tuple[Outcome, ...] = (Done(), Done(), Broke("BAD_INPUT", "no", "Wait"), Died("WORKER_KILLED", "killed"))


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


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_wins_the_run_ends_once(tmp_path: Path, seed: int):
    """A hundred runs, each hit by a random few of everything at once: one ending each, and log and state agree."""
    dice, clock, pool = random.Random(seed), ManualClock(), PlayedPool(8)
    engine = await _engine(tmp_path, pool, clock)
    store = engine._store
    names = count()

    async def one_run() -> str:
        number = next(names)
        limit = dice.choice([None, 5.0, 10.0])
        kind = dice.choice(list(RunKind))
        run_id = (await engine.submit(job("Wait", kind=kind, timeout_s=limit, name=str(number)))).run.run_id
        blows = [_cancel(engine, run_id, dice.random() < 0.5) for _ in range(dice.randrange(3))]
        blows += [_end(pool, run_id, dice.choice(OUTCOMES), dice.randrange(6)) for _ in range(1 + dice.randrange(2))]
        dice.shuffle(blows)
        await asyncio.gather(*blows)
        return run_id

    async def time_passes() -> None:
        while True:
            clock.advance(1.0)
            await asyncio.sleep(0.002)

    passing = asyncio.create_task(time_passes())
    run_ids = await asyncio.gather(*(one_run() for _ in range(100)))
    finishing = asyncio.create_task(_finish_all(pool))
    endings: Counter[State] = Counter()
    for run_id in run_ids:
        run = await engine.ended(SCOPE, run_id)
        events = await engine.events(SCOPE, run_id)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert sum(event.ends_run for event in events) == 1
        assert replay(events) == run
        endings[run.state] += 1
    counted = [await engine.counters(SCOPE, kind) for kind in RunKind]
    assert {state: sum(counts[state] for counts in counted) for state in ENDED} == {s: endings[s] for s in ENDED}
    assert len(endings) >= 3, "the races were none"
    for task in (passing, finishing):
        task.cancel()
    await asyncio.gather(passing, finishing, return_exceptions=True)
    await engine.close()
    assert store.position > 0


async def test_what_the_fold_refuses_fails_the_run_instead_of_leaving_it(tmp_path: Path):
    """A worker that speaks of a phase the run does not have is a fault, and the run hears of it."""
    pool = PlayedPool(1)
    engine = await _engine(tmp_path, pool, ManualClock())
    run_id = (await engine.submit(job("Count"))).run.run_id
    run = await engine.ended(SCOPE, run_id)
    assert run.failure is not None
    assert (run.state, run.failure.reason) == (State.FAILED, "INTERNAL")
    assert pool.free == 1
    await engine.close()


async def _engine(data_dir: Path, pool: PlayedPool, clock: ManualClock) -> Engine:
    store, ids = await Store.open(data_dir), RandomIds()
    describer = Describer("", {}, data_dir / "log", 1.0, 0)
    datasets = Datasets(store, describer, clock, ids, 1)
    engine = Engine(
        store, pool, CATALOGUE, datasets, Keys(store, clock, ids), settings=settings(), clock=clock, ids=ids
    )
    await engine.start()
    return engine


async def _cancel(engine: Engine, run_id: str, force: bool) -> None:
    try:
        assert (await engine.cancel(SCOPE, run_id, CancelOrder(force=force))).state is State.CANCELLED
    except RunAlreadyEnded:
        assert (await engine.get(SCOPE, run_id)).state in ENDED - {State.CANCELLED}


async def _end(pool: PlayedPool, run_id: str, outcome: Outcome, turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    if (seat := pool.begun.get(run_id)) is not None:
        seat.end(outcome)


async def _finish_all(pool: PlayedPool) -> None:
    while True:
        for seat in [*pool.begun.values()]:
            seat.end(Done())
        await asyncio.sleep(0.005)
