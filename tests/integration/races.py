"""Runs that are hit by everything at once: cancel, completion, failure, death, retry, time limit, dependence, change of
priority. What must be true of each afterwards is checked here; how many there are is the caller's.

Blows fall when a run is at work, or at once: nothing here depends on how fast the machine is.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder
from lodestream_server.executors.port import Broke, Died, Done, Outcome
from lodestream_server.runs.events import Event
from lodestream_server.runs.fold import replay
from lodestream_server.runs.states import ENDED, Priority, RunKind, State

from lodestream.errors import DependencyProblem, RunAlreadyEnded, RunAlreadyStarted
from tests.integration.clocks import ManualClock
from tests.integration.engine_world import SCOPE, job
from tests.integration.played_pool import PlayedPool, played_engine

OUTCOMES: tuple[Outcome, ...] = (
    Done(),
    Done(),
    Broke("BAD_INPUT", "no", "Wait"),
    Broke("DISK_FULL", "full", "Wait"),
    Died("WORKER_KILLED", "killed"),
)
_POLICY = {"retryPolicy": {"maxRetries": 2, "retryDelay": 3, "backoffMultiplier": 2.0}}


#: At the same time, in eight seats.
_AT_ONCE = 100


@dataclass(slots=True)
class Outcomes:
    """How runs ended, and how often what was said on the way there."""

    endings: Counter[State] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, more: "Outcomes") -> "Outcomes":
        self.endings += more.endings
        self.kinds += more.kinds
        return self


async def race(data_dir: Path, seed: int, runs: int) -> Outcomes:
    """So many races, 100 at a time; how they ended. Raises AssertionError where a promise is broken."""
    dice, clock, pool = random.Random(seed), ManualClock(), PlayedPool(8)
    engine = await played_engine(data_dir, pool, clock, dice.random)
    told = Outcomes()
    passing = asyncio.create_task(_time_passes(clock))
    try:
        for begin in range(0, runs, _AT_ONCE):
            heat = Heat(engine, pool, dice)
            for run_id in await heat.run(range(begin, min(begin + _AT_ONCE, runs))):
                events = await _checked(engine, run_id)
                told.endings[replay(events).state] += 1
                told.kinds.update(event.kind for event in events)
                pool.begun.pop(run_id, None)
        counted = [await engine.counters(SCOPE, kind) for kind in RunKind]
        assert {state: sum(counts[state] for counts in counted) for state in State} == {
            state: told.endings[state] for state in State
        }
    finally:
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)
        await engine.close()
    return told


async def _checked(engine: Engine, run_id: str) -> Sequence[Event]:
    async with asyncio.timeout(60):
        run = await engine.ended(SCOPE, run_id)
    events = await engine.events(SCOPE, run_id)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert sum(event.ends_run for event in events) == 1
    assert events[-1].ends_run
    assert replay(events) == run
    return events


class Heat:
    """Runs that race at the same time."""

    def __init__(self, engine: Engine, pool: PlayedPool, dice: random.Random) -> None:
        self._engine = engine
        self._pool = pool
        self._dice = dice
        self._submitted: list[str] = []
        self._some = asyncio.Event()
        #: Runs that have had their first outcome; whatever they try after it goes well.
        self._struck: set[str] = set()

    async def run(self, numbers: Sequence[int]) -> list[str]:
        """The runs, each of which has ended."""
        finishing = asyncio.create_task(self._finish())
        try:
            return await asyncio.gather(*map(self._one, numbers))
        finally:
            finishing.cancel()
            await asyncio.gather(finishing, return_exceptions=True)

    async def _one(self, number: int) -> str:
        dice = self._dice
        order = job(
            "Wait",
            kind=dice.choice(list(RunKind)),
            timeout_s=dice.choice([None, None, 5.0, 10.0, 30.0]),
            name=str(number),
            extras=_POLICY if dice.random() < 0.5 else {},
            dependencies=await self._another() if dice.random() < 0.2 else (),
        )
        try:
            run_id = (await self._engine.submit(order)).run.run_id
        except DependencyProblem:  # the other one has gone wrong already
            return await self._one(number)
        self._submitted.append(run_id)
        self._some.set()
        blows = [self._cancel(run_id) for _ in range(dice.randrange(3)) if dice.random() < 0.5]
        blows += [self._strike(run_id) for _ in range(1 + dice.randrange(2))]
        blows += [self._prefer(run_id) for _ in range(dice.randrange(2))]
        dice.shuffle(blows)
        await asyncio.gather(*blows)
        await self._engine.ended(SCOPE, run_id)
        return run_id

    async def _another(self) -> tuple[str, ...]:
        await self._some.wait()
        return (self._dice.choice(self._submitted),)

    async def _at_work(self, run_id: str) -> None:
        """Until the run is in a seat, or has ended without one; and a little longer."""
        async for event in self._engine.tail(SCOPE, run_id):
            if event.kind == "phase-started":
                break
        for _ in range(self._dice.randrange(6)):
            await asyncio.sleep(0)

    async def _cancel(self, run_id: str) -> None:
        force, later = self._dice.random() < 0.5, self._dice.random() < 0.5
        if later:
            await self._at_work(run_id)
        try:
            assert (await self._engine.cancel(SCOPE, run_id, CancelOrder(force=force))).state is State.CANCELLED
        except RunAlreadyEnded:
            assert (await self._engine.get(SCOPE, run_id)).state in ENDED - {State.CANCELLED}

    async def _prefer(self, run_id: str) -> None:
        with contextlib.suppress(RunAlreadyStarted):
            await self._engine.desk.reprioritize(SCOPE, run_id, self._dice.choice(list(Priority)))

    async def _strike(self, run_id: str) -> None:
        outcome = self._dice.choice(OUTCOMES)
        await self._at_work(run_id)
        if (seat := self._pool.begun.get(run_id)) is not None:
            seat.end(outcome)
        self._struck.add(run_id)

    async def _finish(self) -> None:
        while True:
            for run_id in self._struck & self._pool.begun.keys():
                self._pool.begun[run_id].end(Done())
            await asyncio.sleep(0.005)


async def _time_passes(clock: ManualClock) -> None:
    while True:
        clock.advance(1.0)
        await asyncio.sleep(0.002)
