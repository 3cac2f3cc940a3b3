"""Further attempts of the same run, by its policy: with a clock and a chance that the test decides."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder
from lodestream_server.runs.bodies import Allocated, RetryPlanned
from lodestream_server.runs.fold import replay
from lodestream_server.runs.states import State

from tests.integration.clocks import ManualClock
from tests.integration.engine_world import SCOPE, engine_at, job, kinds, until

GB = 10**9
POLICY = {"retryPolicy": {"maxRetries": 2, "retryDelay": 100, "backoffMultiplier": 3.0}}


@pytest.fixture
def clock() -> ManualClock:
    """Noon, until moved."""
    return ManualClock()


@pytest.fixture
async def engine(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Engine]:
    """Time and chance are the test's; chance is in the middle."""
    async with engine_at(tmp_path / "data", clock, lambda: 0.5, memory_bytes=8 * GB) as opened:
        yield opened


async def _mend(engine: Engine, tmp_path: Path, failures: int, extras=POLICY, **given) -> str:
    order = job("Mend", ledger=tmp_path / "ledger", failures=failures, extras=extras, **given)
    return (await engine.submit(order)).run.run_id


async def _planned(engine: Engine, run_id: str, times: int = 1) -> list[RetryPlanned]:
    async for _ in engine.tail(SCOPE, run_id):
        events = await engine.events(SCOPE, run_id)
        plans = [event.body for event in events if isinstance(event.body, RetryPlanned)]
        if len(plans) >= times:
            return plans
    raise AssertionError("the run ended without another attempt")


async def test_a_run_that_breaks_twice_is_mended_by_the_third_attempt(engine, clock, tmp_path):
    """100 s, then 300 s; the finished phase is run once, and log and state agree."""
    run_id = await _mend(engine, tmp_path, failures=2)
    begin = clock.now()
    [first] = await _planned(engine, run_id)
    assert (first.at - begin).total_seconds() == 100.0
    assert (await engine.get(SCOPE, run_id)).state is State.RETRY_WAIT
    clock.advance(100)
    _, second = await _planned(engine, run_id, 2)
    assert (second.at - clock.now()).total_seconds() == 300.0
    clock.advance(300)
    run = await engine.ended(SCOPE, run_id)
    assert (run.state, run.attempt, run.errors) == (State.COMPLETED, 3, 2)
    assert (tmp_path / "ledger").read_text().split() == ["First", "Mend", "Mend", "Mend"]
    assert replay(await engine.events(SCOPE, run_id)) == run


async def test_the_last_attempt_that_fails_ends_the_run(engine, clock, tmp_path):
    """After two more, as the policy says; the failure says what happened."""
    run_id = await _mend(engine, tmp_path, failures=9)
    for times in (1, 2):
        await _planned(engine, run_id, times)
        clock.advance(1000)
    run = await engine.ended(SCOPE, run_id)
    assert run.failure is not None
    assert (run.state, run.attempt, run.failure.reason) == (State.FAILED, 3, "INTERNAL")


async def test_bad_input_is_not_tried_again(engine):
    """Whatever the policy says."""
    run = await engine.ended(SCOPE, (await engine.submit(job("bad_input", extras=POLICY))).run.run_id)
    assert run.failure is not None
    assert (run.state, run.attempt, run.failure.reason) == (State.FAILED, 1, "MISSING_COLUMN")


async def test_a_run_that_ran_out_of_memory_gets_twice_as_much(engine, clock):
    """As long as the machine has it: 2 GB fail, 4 GB do; the timeline shows the change."""
    asked = {"resourceAllocation": {"memoryGB": 2}}
    run_id = (await engine.submit(job("hungry", enough=4 * GB, extras=POLICY, **asked))).run.run_id
    await _planned(engine, run_id)
    clock.advance(1000)
    run = await engine.ended(SCOPE, run_id)
    assert (run.state, run.resources.memory_bytes) == (State.COMPLETED, 4 * GB)
    changes = [e.body for e in await engine.events(SCOPE, run_id) if isinstance(e.body, Allocated)]
    assert [change.reason for change in changes] == ["OUT_OF_MEMORY"]


async def test_more_memory_than_the_machine_has_is_not_tried(engine):
    """It had all there is, and would run out of it again."""
    asked = {"resourceAllocation": {"memoryGB": 8}}
    run = await engine.ended(
        SCOPE, (await engine.submit(job("hungry", enough=9 * GB, extras=POLICY, **asked))).run.run_id
    )
    assert (run.state, run.attempt) == (State.FAILED, 1)


async def test_a_run_that_waits_for_its_next_attempt_is_cancelled_at_once(engine, clock, tmp_path):
    """Its time comes, but not for it; what its finished phase left is kept."""
    run_id = await _mend(engine, tmp_path, failures=9)
    await _planned(engine, run_id)
    run = await engine.cancel(SCOPE, run_id, CancelOrder("ann"))
    assert (run.state, run.receipt.rung, run.receipt.phases_kept) == (State.CANCELLED, "none", ("First",))
    clock.advance(1000)
    assert (await kinds(engine, run_id))[-1] == "cancelled"


async def test_a_limit_that_passes_during_the_wait_ends_the_run(engine, clock, tmp_path):
    """No attempt begins after it."""
    run_id = await _mend(engine, tmp_path, failures=9, timeout_s=50)
    await _planned(engine, run_id)
    clock.advance(60)
    assert (await engine.ended(SCOPE, run_id)).state is State.TIMED_OUT


async def test_the_next_attempt_comes_also_after_a_restart(tmp_path, clock):
    """The wait is durable."""
    async with engine_at(tmp_path / "data", clock) as engine:
        run_id = await _mend(engine, tmp_path, failures=1)
        await _planned(engine, run_id)
    clock.advance(1000)
    async with engine_at(tmp_path / "data", clock) as engine:
        run = await engine.ended(SCOPE, run_id)
    assert (run.state, run.attempt) == (State.COMPLETED, 2)


async def test_watchers_hear_of_the_wait(engine, clock, tmp_path):
    """Live, with the error before it."""
    run_id = await _mend(engine, tmp_path, failures=1)
    hearing = asyncio.create_task(until(engine, run_id, "retry-planned"))
    await hearing
    told = await kinds(engine, run_id)
    assert told.index("error-noted") < told.index("retry-planned")
    clock.advance(1000)
    await engine.ended(SCOPE, run_id)
