"""Runs that are hit by everything at once: cancel, completion, failure, death, retry, time limit, dependence, change of
priority. What must be true of each afterwards is checked here; how many there are is the caller's."""

import asyncio
import contextlib
import random
from collections import Counter
from pathlib import Path

from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder
from lodestream_server.executors.port import Broke, Died, Done, Outcome
from lodestream_server.runs.fold import replay
from lodestream_server.runs.states import ENDED, Priority, RunKind, State
from lodestream_server.store.reading import Scope

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


async def race(data_dir: Path, seed: int, runs: int) -> Counter[State]:
    """So many races, 100 at a time; how they ended. Raises AssertionError where a promise is broken."""
    dice, clock, pool = random.Random(seed), ManualClock(), PlayedPool(8)
    engine = await played_engine(data_dir, pool, clock, dice.random)
    tasks = [asyncio.create_task(_time_passes(clock)), asyncio.create_task(_finish_all(pool))]
    endings: Counter[State] = Counter()
    try:
        for begin in range(0, runs, 100):
            some = [_one_run(engine, pool, dice, number) for number in range(begin, min(begin + 100, runs))]
            for run_id in await asyncio.gather(*some):
                endings[await _checked(engine, run_id)] += 1
                pool.begun.pop(run_id, None)
        counted = [await engine.counters(SCOPE, kind) for kind in RunKind]
        assert {state: sum(counts[state] for counts in counted) for state in State} == {
            state: endings[state] for state in State
        }
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await engine.close()
    return endings


async def _checked(engine: Engine, run_id: str) -> State:
    async with asyncio.timeout(60):
        run = await engine.ended(SCOPE, run_id)
    events = await engine.events(SCOPE, run_id)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert sum(event.ends_run for event in events) == 1
    assert events[-1].ends_run
    assert replay(events) == run
    return run.state


async def _one_run(engine: Engine, pool: PlayedPool, dice: random.Random, number: int) -> str:
    order = job(
        "Wait",
        kind=dice.choice(list(RunKind)),
        timeout_s=dice.choice([None, 5.0, 10.0]),
        name=str(number),
        extras=_POLICY if dice.random() < 0.5 else {},
        dependencies=(dice.choice(list(pool.begun)),) if pool.begun and dice.random() < 0.3 else (),
    )
    try:
        run_id = (await engine.submit(order)).run.run_id
    except DependencyProblem:  # the other one has gone wrong already
        return await _one_run(engine, pool, dice, number)
    blows = [_cancel(engine, run_id, dice.random() < 0.5) for _ in range(dice.randrange(3)) if dice.random() < 0.5]
    blows += [_end(pool, run_id, dice.choice(OUTCOMES), dice.randrange(6)) for _ in range(1 + dice.randrange(2))]
    blows += [_prefer(engine, run_id, dice.choice(list(Priority))) for _ in range(dice.randrange(2))]
    dice.shuffle(blows)
    await asyncio.gather(*blows)
    return run_id


async def _cancel(engine: Engine, run_id: str, force: bool) -> None:
    try:
        assert (await engine.cancel(SCOPE, run_id, CancelOrder(force=force))).state is State.CANCELLED
    except RunAlreadyEnded:
        assert (await engine.get(SCOPE, run_id)).state in ENDED - {State.CANCELLED}


async def _prefer(engine: Engine, run_id: str, priority: Priority) -> None:
    with contextlib.suppress(RunAlreadyStarted):
        await engine.desk.reprioritize(Scope(SCOPE.tenant_id, SCOPE.project_id), run_id, priority)


async def _end(pool: PlayedPool, run_id: str, outcome: Outcome, turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    if (seat := pool.begun.get(run_id)) is not None:
        seat.end(outcome)


async def _time_passes(clock: ManualClock) -> None:
    while True:
        clock.advance(1.0)
        await asyncio.sleep(0.002)


async def _finish_all(pool: PlayedPool) -> None:
    while True:
        for seat in [*pool.begun.values()]:
            seat.end(Done())
        await asyncio.sleep(0.005)
