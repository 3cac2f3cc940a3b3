"""What time does to runs: scheduled starts, time limits in every state, with a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder
from lodestream_server.runs.states import RunKind, State

from lodestream.errors import InvalidField, RunAlreadyEnded
from tests.integration.clocks import ManualClock
from tests.integration.engine_world import SCOPE, appears, engine_at, job, until


@pytest.fixture
def clock() -> ManualClock:
    """Noon, until moved."""
    return ManualClock()


@pytest.fixture
async def engine(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Engine]:
    """An engine whose time is the test's."""
    async with engine_at(tmp_path / "data", clock) as opened:
        yield opened


async def test_a_scheduled_job_starts_when_its_time_comes(engine, clock):
    """Not before; and it says until when it waits."""
    at = clock.now() + timedelta(minutes=10)
    submission = await engine.submit(job("Count", scheduled_at=at))
    assert (submission.run.state, submission.estimated_start) == (State.SCHEDULED, at)
    clock.advance(599)
    assert (await engine.get(SCOPE, submission.run.run_id)).state is State.SCHEDULED
    clock.advance(1)
    run = await engine.ended(SCOPE, submission.run.run_id)
    assert (run.state, run.queued_at) == (State.COMPLETED, at)


async def test_a_time_that_has_passed_means_now(engine, clock):
    """No run waits for yesterday."""
    submission = await engine.submit(job("Count", scheduled_at=clock.now() - timedelta(days=1)))
    assert (await engine.ended(SCOPE, submission.run.run_id)).state is State.COMPLETED


async def test_an_operations_limit_counts_from_submission_a_jobs_from_its_time(engine, clock):
    """As documented: created 11:15 with 7200 s is over at 13:15."""
    at = clock.now() + timedelta(hours=1)
    operation = await engine.submit(job("Count", kind=RunKind.OPERATION, timeout_s=7200, scheduled_at=at))
    later = await engine.submit(job("Count", timeout_s=7200, scheduled_at=at))
    assert operation.run.deadline == clock.now() + timedelta(hours=2)
    assert later.run.deadline == clock.now() + timedelta(hours=3)


async def test_a_waiting_run_times_out_without_a_worker(engine, clock):
    """Its limit passes before its time comes; it cannot be cancelled afterwards."""
    at = clock.now() + timedelta(hours=1)
    run_id = (await engine.submit(job("Count", kind=RunKind.OPERATION, timeout_s=60, scheduled_at=at))).run.run_id
    clock.advance(60)
    run = await engine.ended(SCOPE, run_id)
    assert (run.state, run.started) == (State.TIMED_OUT, None)
    with pytest.raises(RunAlreadyEnded, match="TIMED_OUT"):
        await engine.cancel(SCOPE, run_id, CancelOrder())


async def test_a_running_run_is_stopped_at_its_limit(engine, clock, tmp_path):
    """The flag stops the work, the event says where it was, and the worker takes the next run."""
    given = {"gate": tmp_path / "gate", "begun": tmp_path / "begun", "ledger": tmp_path / "ledger"}
    run_id = (await engine.submit(job("Wait", timeout_s=60, **given))).run.run_id
    await appears(tmp_path / "begun")
    clock.advance(60)
    run = await engine.ended(SCOPE, run_id)
    assert (run.state, run.current.name, run.finished) == (State.TIMED_OUT, "Wait", ("First",))
    assert (await engine.ended(SCOPE, (await engine.submit(job("Count"))).run.run_id)).state is State.COMPLETED


async def test_a_limit_while_cancelling_changes_nothing(engine, clock, tmp_path):
    """Who asked first is answered: the run ends as cancelled."""
    begun = tmp_path / "begun"
    submission = await engine.submit(job("deaf", timeout_s=60, gate=tmp_path / "gate", begun=begun))
    run_id = submission.run.run_id
    await appears(begun)
    cancelling = asyncio.create_task(engine.cancel(SCOPE, run_id, CancelOrder("ann")))
    await until(engine, run_id, "cancel-requested")
    while not cancelling.done():
        clock.advance(30)
        await asyncio.sleep(0.01)
    assert (await cancelling).state is State.CANCELLED


async def test_a_limit_that_is_none_is_refused(engine):
    """Zero seconds would be over before it began."""
    with pytest.raises(InvalidField, match="timeout"):
        await engine.submit(job("Count", timeout_s=0))


async def test_a_limit_that_passed_while_the_server_was_down_counts(tmp_path, clock):
    """The next server ends the run when it looks at the clock."""
    given = {"gate": tmp_path / "gate", "begun": tmp_path / "begun"}
    async with engine_at(tmp_path / "data", clock) as engine:
        run_id = (await engine.submit(job("OnlyWait", timeout_s=60, **given))).run.run_id
        await appears(tmp_path / "begun")
    clock.advance(61)
    async with engine_at(tmp_path / "data", clock) as engine:
        assert (await engine.ended(SCOPE, run_id)).state is State.TIMED_OUT
