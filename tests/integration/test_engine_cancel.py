"""Cancelling in every state: how fast, by which rung, with which receipt, and that nobody else notices."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder
from lodestream_server.runs.states import PhaseStatus, State

from lodestream.errors import RunAlreadyEnded, RunNotFound
from tests.integration.engine_world import ELSEWHERE, SCOPE, alive, appears, engine_at, job, kinds, until


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine of its own for the test."""
    async with engine_at(tmp_path / "data") as opened:
        yield opened


async def _begun(engine: Engine, tmp_path: Path, type_: str, **given) -> str:
    begun = tmp_path / f"begun-{type_}"
    run_id = (await engine.submit(job(type_, gate=tmp_path / "gate", begun=begun, **given))).run.run_id
    await appears(begun)
    return run_id


async def test_graceful_cancel_is_the_flag_and_keeps_finished_phases(engine, tmp_path):
    """A phase that looks stops by itself; what was done before it is kept and said."""
    run_id = await _begun(engine, tmp_path, "Wait", ledger=tmp_path / "ledger")
    run = await engine.cancel(SCOPE, run_id, CancelOrder("ann", "changed my mind"))
    assert run.state is State.CANCELLED
    assert (run.receipt.rung, run.receipt.phases_kept) == ("flag", ("First",))
    assert run.receipt.released == run.resources
    assert (run.cancel.by, run.cancel.reason) == ("ann", "changed my mind")
    assert [phase.status for phase in run.phases] == [
        PhaseStatus.COMPLETED,
        PhaseStatus.CANCELLED,
        PhaseStatus.PENDING,
    ]
    assert (await kinds(engine, run_id))[-1] == "cancelled"


async def test_forced_cancel_ends_a_busy_worker_within_a_second(engine, tmp_path):
    """It never looks and is gone nevertheless; the other run and its worker notice nothing."""
    other = await _begun(engine, tmp_path, "OnlyWait")
    run_id = await _begun(engine, tmp_path, "deaf")
    pid, other_pid = (await engine.get(SCOPE, run_id)).pid, (await engine.get(SCOPE, other)).pid
    begin = time.monotonic()
    run = await engine.cancel(SCOPE, run_id, CancelOrder(force=True))
    assert time.monotonic() - begin < 1.0
    assert (run.state, run.receipt.rung) == (State.CANCELLED, "SIGKILL")
    assert not alive(pid)
    assert alive(other_pid)
    (tmp_path / "gate").touch()
    assert (await engine.ended(SCOPE, other)).state is State.COMPLETED


@pytest.mark.parametrize(("type_", "rung"), [("deaf", "SIGTERM"), ("deaf_and_stubborn", "SIGKILL")])
async def test_graceful_cancel_climbs_within_six_seconds(engine, tmp_path, type_, rung):
    """Who does not look is terminated, who ignores that is killed; the receipt says which and how long it took."""
    run_id = await _begun(engine, tmp_path, type_)
    begin = time.monotonic()
    run = await engine.cancel(SCOPE, run_id, CancelOrder())
    assert time.monotonic() - begin < 6.0
    assert run.receipt.rung == rung
    assert 3.0 < run.receipt.took_s < 6.0


async def test_force_overtakes_a_graceful_cancel(engine, tmp_path):
    """The second, forced request does not wait for the first one's grace; both callers get the same receipt."""
    run_id = await _begun(engine, tmp_path, "deaf")
    gentle = asyncio.create_task(engine.cancel(SCOPE, run_id, CancelOrder("ann")))
    await until(engine, run_id, "cancel-requested")
    begin = time.monotonic()
    forced = await engine.cancel(SCOPE, run_id, CancelOrder("bob", force=True))
    assert time.monotonic() - begin < 1.0
    assert (await gentle).receipt == forced.receipt
    assert forced.receipt.rung == "SIGKILL"
    assert (await kinds(engine, run_id)).count("cancel-requested") == 2


async def test_cancelling_twice_gives_the_same_receipt(engine, tmp_path):
    """The second one changes nothing, not even the reason."""
    run_id = await _begun(engine, tmp_path, "OnlyWait")
    first = await engine.cancel(SCOPE, run_id, CancelOrder("ann", "first"))
    again = await engine.cancel(SCOPE, run_id, CancelOrder("bob", "second", force=True))
    assert again == first


async def test_a_queued_run_is_cancelled_at_once(engine, tmp_path):
    """No worker has it: nothing to stop."""
    for type_ in ("OnlyWait", "deaf"):
        await _begun(engine, tmp_path, type_)
    run_id = (await engine.submit(job("Count"))).run.run_id
    run = await engine.cancel(SCOPE, run_id, CancelOrder())
    assert (run.state, run.receipt.rung, run.receipt.released) == (State.CANCELLED, "none", None)
    assert await engine.queue() == ()
    (tmp_path / "gate").touch()


async def test_a_scheduled_run_is_cancelled_at_once(engine):
    """Its time will come, but not for it."""
    later = datetime.now(UTC) + timedelta(hours=1)
    run_id = (await engine.submit(job("Count", scheduled_at=later))).run.run_id
    assert (await engine.get(SCOPE, run_id)).state is State.SCHEDULED
    assert (await engine.cancel(SCOPE, run_id, CancelOrder())).state is State.CANCELLED


async def test_what_has_ended_cannot_be_cancelled(engine):
    """The state it ended in is named."""
    done = await engine.ended(SCOPE, (await engine.submit(job("Count"))).run.run_id)
    failed = await engine.ended(SCOPE, (await engine.submit(job("bad_input"))).run.run_id)
    for run in (done, failed):
        with pytest.raises(RunAlreadyEnded, match=run.state.value):
            await engine.cancel(SCOPE, run.run_id, CancelOrder())


async def test_what_is_not_yours_cannot_be_cancelled(engine, tmp_path):
    """It goes on as if nothing had been asked."""
    run_id = await _begun(engine, tmp_path, "OnlyWait")
    with pytest.raises(RunNotFound):
        await engine.cancel(ELSEWHERE, run_id, CancelOrder(force=True))
    (tmp_path / "gate").touch()
    assert (await engine.ended(SCOPE, run_id)).state is State.COMPLETED
