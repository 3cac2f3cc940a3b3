"""How a worker can be lost, and that each way is told apart; that one loss is borne and the third is not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder
from lodestream_server.executors.local_pool import PoolSettings, worker_environment
from lodestream_server.executors.local_worker import start_worker
from lodestream_server.runs.bodies import Requeued, Started
from lodestream_server.runs.states import State

from lodestream.errors import InvalidField
from tests.integration.engine_world import SCOPE, alive, engine_at, job, kinds, until


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine with a short lease, so that a hang shows soon."""
    async with engine_at(tmp_path / "data", lease_s=1.0) as opened:
        yield opened


@pytest.mark.parametrize(
    ("type_", "reason"),
    [
        ("vanish", "WORKER_VANISHED"),
        ("killed", "WORKER_KILLED"),
        ("crash", "WORKER_CRASHED"),
        ("freeze", "WORKER_HUNG"),
    ],
)
async def test_a_run_that_loses_its_worker_is_tried_again_and_given_up_after_the_third(engine, type_, reason):
    """Every loss says what it was; each attempt had another process, and none is left."""
    run = await engine.ended(SCOPE, (await engine.submit(job(type_))).run.run_id)
    assert (run.state, run.failure.reason, run.worker_deaths, run.attempt) == (State.FAILED, reason, 2, 3)
    bodies = [event.body for event in await engine.events(SCOPE, run.run_id)]
    assert [body.reason for body in bodies if isinstance(body, Requeued)] == [reason, reason]
    pids = [body.pid for body in bodies if isinstance(body, Started)]
    assert len(set(pids)) == 3
    assert not any(alive(pid) for pid in pids)


async def test_a_run_that_stops_without_being_asked_is_given_up_after_the_third(engine):
    """A workload that raises Cancelled by itself would go round for ever."""
    async with asyncio.timeout(20):
        run = await engine.ended(SCOPE, (await engine.submit(job("quits"))).run.run_id)
    assert (run.state, run.failure.reason, run.attempt) == (State.FAILED, "WORKER_STOPPED", 3)


async def test_a_run_has_a_heartbeat_limit_of_its_own(tmp_path):
    """Where it asks for one; the server's own is so long that the test would not see its end."""
    async with engine_at(tmp_path / "data", lease_s=1000.0) as engine:
        quick = job("freeze", resourceAllocation={"heartbeatSeconds": 5})
        run_id = (await engine.submit(quick)).run.run_id
        await until(engine, run_id, "requeued")
        bodies = [event.body for event in await engine.events(SCOPE, run_id)]
        assert [body.reason for body in bodies if isinstance(body, Requeued)] == ["WORKER_HUNG"]
        await engine.cancel(SCOPE, run_id, CancelOrder(force=True))
        with pytest.raises(InvalidField, match="heartbeatSeconds"):
            await engine.submit(job("freeze", resourceAllocation={"heartbeatSeconds": 1}))
        # Whoever replaces the lost workers is there before the engine goes.
        after = [(await engine.submit(job("Count"))).run.run_id for _ in range(2)]
        assert {(await engine.ended(SCOPE, each)).state for each in after} == {State.COMPLETED}


async def test_a_run_that_loses_one_worker_completes_in_the_next(engine):
    """The second attempt is given the chance the first one lost."""
    run = await engine.ended(SCOPE, (await engine.submit(job("once_deadly"))).run.run_id)
    assert (run.state, run.attempt, run.worker_deaths) == (State.COMPLETED, 2, 1)
    assert await engine.phase_results(SCOPE, run.run_id) == {"Only": {"survived": True}}


async def test_what_was_said_before_the_death_is_in_the_log(engine):
    """Lines that reached the server are durable, whatever became of the worker afterwards."""
    run = await engine.ended(SCOPE, (await engine.submit(job("vanish"))).run.run_id)
    assert (await kinds(engine, run.run_id)).count("phase-started") == 3


async def test_the_pool_is_whole_again_after_losses(engine):
    """As many runs as seats work at once, as if nothing had happened."""
    for type_ in ("killed", "crash"):
        await engine.ended(SCOPE, (await engine.submit(job(type_))).run.run_id)
    runs = [(await engine.submit(job("Count"))).run.run_id for _ in range(4)]
    assert [(await engine.ended(SCOPE, run_id)).state for run_id in runs] == [State.COMPLETED] * 4


async def test_a_start_that_is_broken_off_leaves_no_process_behind(tmp_path):
    """At whatever step of the loop."""
    settings, environment = PoolSettings(1, tmp_path / "workers.log"), worker_environment({})
    for step in range(30):
        starting = asyncio.ensure_future(start_worker(1, settings, environment))
        for _ in range(step):
            await asyncio.sleep(0)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        assert starting.cancelled()
        assert psutil.Process().children() == []
