"""The queue as people steer it: pause, resume, purge, reprioritise, explain; and what the machine has room for."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder
from lodestream_server.runs.bodies import Allocated, TimedOut
from lodestream_server.runs.states import Priority, State

from lodestream.errors import RunAlreadyStarted, RunNotFound
from tests.integration.clocks import ManualClock
from tests.integration.engine_world import ELSEWHERE, SCOPE, appears, engine_at, job, kinds, until

GB = 10**9


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """One seat, on a machine of 4 cores and 8 GB."""
    async with engine_at(tmp_path / "data", seats=1, cpu_units=4.0, memory_bytes=8 * GB) as opened:
        yield opened


async def _busy(engine: Engine, tmp_path: Path, **given) -> str:
    begun = tmp_path / f"begun-{len(engine.at_work())}"
    run_id = (await engine.submit(job("OnlyWait", gate=tmp_path / "gate", begun=begun, **given))).run.run_id
    await appears(begun)
    return run_id


async def _submit(engine: Engine, **given) -> str:
    return (await engine.submit(job("Count", **given))).run.run_id


def _asks(**amounts) -> dict:
    return {"resourceAllocation": amounts}


async def test_a_paused_queue_starts_nothing_until_it_is_resumed(engine, tmp_path):
    """Other projects go on; the explanation says who paused it and why."""
    await engine.desk.pause(SCOPE, "ann", "maintenance")
    waits = await _submit(engine)
    elsewhere = (await engine.submit(job("Count", scope=ELSEWHERE))).run.run_id
    assert (await engine.ended(ELSEWHERE, elsewhere)).state is State.COMPLETED
    explained = await engine.desk.explain(SCOPE, waits)
    assert [reason.reason for reason in explained.reasons] == ["QUEUE_PAUSED"]
    assert "maintenance" in explained.sentence
    await engine.desk.resume(SCOPE)
    assert (await engine.ended(SCOPE, waits)).state is State.COMPLETED


async def test_a_pause_survives_a_restart(tmp_path):
    """The next server starts nothing of the project either, and still knows who asked."""
    async with engine_at(tmp_path / "data") as engine:
        await engine.desk.pause(SCOPE, "ann")
        run_id = await _submit(engine)
    async with engine_at(tmp_path / "data") as engine:
        pause = engine.desk.paused(SCOPE)
        assert pause is not None
        assert pause.by == "ann"
        other = (await engine.submit(job("Count", scope=ELSEWHERE))).run.run_id
        await engine.ended(ELSEWHERE, other)
        assert (await engine.get(SCOPE, run_id)).state is State.QUEUED


async def test_pausing_twice_keeps_the_first_and_resuming_twice_is_harmless(engine):
    """No further effect, as the contract says."""
    first = await engine.desk.pause(SCOPE, "ann", "first")
    assert await engine.desk.pause(SCOPE, "bob", "second") == first
    await engine.desk.resume(SCOPE)
    await engine.desk.resume(SCOPE)
    assert engine.desk.paused(SCOPE) is None


async def test_a_purge_cancels_what_waits_and_nothing_else(engine, tmp_path):
    """What runs goes on, other priorities and projects stay."""
    running = await _busy(engine, tmp_path)
    low = [await _submit(engine, priority=Priority.LOW) for _ in range(3)]
    normal = await _submit(engine)
    other = (await engine.submit(job("Count", scope=ELSEWHERE, priority=Priority.LOW))).run.run_id
    assert await engine.desk.purge(SCOPE, CancelOrder("ann", "spring"), Priority.LOW) == 3
    assert {(await engine.get(SCOPE, run_id)).state for run_id in low} == {State.CANCELLED}
    assert engine.desk.waiting(SCOPE) == 1
    (tmp_path / "gate").touch()
    for run_id in (running, normal):
        assert (await engine.ended(SCOPE, run_id)).state is State.COMPLETED
    assert (await engine.ended(ELSEWHERE, other)).state is State.COMPLETED


async def test_a_purge_lets_go_on_what_was_started_meanwhile(engine, tmp_path, monkeypatch):
    """Between the look at the queue and the step."""
    running = await _busy(engine, tmp_path)
    monkeypatch.setattr(engine.desk, "_queued", lambda *_: [running])
    assert await engine.desk.purge(SCOPE, CancelOrder("ann", "spring")) == 0
    (tmp_path / "gate").touch()
    assert (await engine.ended(SCOPE, running)).state is State.COMPLETED


async def test_a_new_priority_is_an_event_and_moves_the_run(engine, tmp_path):
    """The last one becomes the first; saying it twice is said once."""
    await _busy(engine, tmp_path)
    first, last = await _submit(engine), await _submit(engine)
    run = await engine.desk.reprioritize(SCOPE, last, Priority.CRITICAL, "ann")
    assert (await engine.desk.reprioritize(SCOPE, last, Priority.CRITICAL, "ann")).last_sequence == run.last_sequence
    assert [place.run.run_id for place in await engine.queue()] == [last, first]
    assert (await kinds(engine, last)).count("reprioritized") == 1
    (tmp_path / "gate").touch()
    ended = [await engine.ended(SCOPE, run_id) for run_id in (last, first)]
    assert ended[0].started < ended[1].started


async def test_what_has_started_has_no_priority_any_more(engine, tmp_path):
    """And what is not yours is not there."""
    run_id = await _busy(engine, tmp_path)
    with pytest.raises(RunAlreadyStarted, match="RUNNING"):
        await engine.desk.reprioritize(SCOPE, run_id, Priority.HIGH)
    with pytest.raises(RunNotFound):
        await engine.desk.reprioritize(ELSEWHERE, run_id, Priority.HIGH)
    with pytest.raises(RunNotFound):
        await engine.desk.explain(ELSEWHERE, run_id)
    (tmp_path / "gate").touch()


async def test_an_explanation_names_those_before_and_the_busy_workers(engine, tmp_path):
    """Of other projects' runs only the number is told."""
    await _busy(engine, tmp_path)
    first, second = await _submit(engine), await _submit(engine)
    explained = await engine.desk.explain(SCOPE, second)
    told = {reason.reason: reason for reason in explained.reasons}
    assert set(told) >= {"EARLIER_IN_QUEUE", "NO_FREE_WORKER"}
    assert told["EARLIER_IN_QUEUE"].subject == first
    other = (await engine.submit(job("Count", scope=ELSEWHERE, priority=Priority.LOW))).run.run_id
    hidden = await engine.desk.explain(ELSEWHERE, other)
    assert hidden.reasons[0].message == "2 runs are before it in the queue."
    assert hidden.reasons[0].subject == ""
    (tmp_path / "gate").touch()
    ended = await engine.ended(SCOPE, second)
    assert (await engine.desk.explain(SCOPE, ended.run_id)).reasons == ()


async def test_what_has_no_room_waits_although_a_worker_is_free(tmp_path):
    """6 of 8 GB are in use: another 6 wait for them, 2 do not."""
    async with engine_at(tmp_path / "data", seats=3, cpu_units=8.0, memory_bytes=8 * GB) as engine:
        large = _asks(memoryGB=6, cpuUnits=2)
        first = await _busy(engine, tmp_path, **large)
        second = await _submit(engine, **large)
        small = await _submit(engine, **_asks(memoryGB=1, cpuUnits=1))
        assert (await engine.ended(SCOPE, small)).state is State.COMPLETED
        explained = await engine.desk.explain(SCOPE, second)
        assert [reason.reason for reason in explained.reasons] == ["NOT_ENOUGH_MEMORY"]
        (tmp_path / "gate").touch()
        assert (await engine.ended(SCOPE, first)).state is State.COMPLETED
        assert (await engine.ended(SCOPE, second)).state is State.COMPLETED


async def test_who_does_not_say_gets_the_share_of_a_seat(tmp_path):
    """So that there is room for as many as there are seats."""
    async with engine_at(tmp_path / "data", seats=4, cpu_units=2.0, memory_bytes=8 * GB) as engine:
        run = (await engine.submit(job("Count"))).run
    assert (run.resources.cpu_units, run.resources.memory_bytes) == (0.5, 2 * GB)


async def test_who_asks_for_more_than_there_is_gets_all_there_is_and_is_told(engine):
    """The timeline says what was asked for and what was given."""
    run_id = await _submit(engine, **_asks(memoryGB=12, cpuUnits=6, priority="Critical"))
    run = await engine.ended(SCOPE, run_id)
    assert (run.state, run.priority) == (State.COMPLETED, Priority.CRITICAL)
    assert (run.resources.cpu_units, run.resources.memory_bytes) == (4.0, 8 * GB)
    events = await engine.events(SCOPE, run_id)
    [change] = [event.body for event in events if isinstance(event.body, Allocated)]
    assert (change.before.memory_bytes, change.reason) == (12 * GB, "MACHINE_LIMIT")


async def test_tenants_share_however_much_one_of_them_sends(engine, tmp_path):
    """The run of the second tenant is next but one at most, although ten came before it."""
    await _busy(engine, tmp_path)
    for _ in range(10):
        await _submit(engine)
    theirs = replace(SCOPE, tenant_id="33333333-3333-4333-8333-333333333333")
    run_id = (await engine.submit(job("Count", scope=theirs))).run.run_id
    place = await engine.queue_place(run_id)
    assert place is not None
    assert place.position == 1
    (tmp_path / "gate").touch()
    await engine.ended(theirs, run_id)


async def test_a_run_that_waits_too_long_ends_there(tmp_path):
    """The limit of the queue is told from the run's own."""
    clock = ManualClock()
    async with engine_at(tmp_path / "data", clock, seats=1, queue_limit_s=600) as engine:
        busy = await _busy(engine, tmp_path)
        run_id = await _submit(engine)
        clock.advance(600)
        run = await engine.ended(SCOPE, run_id)
        events = await engine.events(SCOPE, run_id)
        [end] = [event.body for event in events if isinstance(event.body, TimedOut)]
        assert (run.state, end.reason) == (State.TIMED_OUT, "QUEUE_LIMIT")
        assert (await engine.get(SCOPE, busy)).state is State.RUNNING
        (tmp_path / "gate").touch()


async def test_a_scheduled_run_says_until_when_it_waits(tmp_path):
    """And its priority can be changed before its time has come."""
    clock = ManualClock()
    async with engine_at(tmp_path / "data", clock) as engine:
        run_id = await _submit(engine, scheduled_at=clock.now() + timedelta(hours=1))
        [reason] = (await engine.desk.explain(SCOPE, run_id)).reasons
        assert (reason.reason, reason.subject) == ("SCHEDULED_TIME", "2026-03-01T13:00:00Z")
        assert (await engine.desk.reprioritize(SCOPE, run_id, Priority.HIGH)).state is State.SCHEDULED


async def test_a_priority_that_changes_while_the_run_starts_starts_it_once(engine, tmp_path):
    """Changing it over and over while seats become free leaves one Started event each."""
    run_ids = [await _submit(engine) for _ in range(10)]

    async def pester() -> None:
        for turn in range(40):
            for run_id in run_ids:
                try:
                    await engine.desk.reprioritize(SCOPE, run_id, Priority.HIGH if turn % 2 else Priority.LOW)
                except RunAlreadyStarted:
                    continue

    pestering = asyncio.create_task(pester())
    for run_id in run_ids:
        assert (await engine.ended(SCOPE, run_id)).state is State.COMPLETED
        assert (await kinds(engine, run_id)).count("started") == 1
    await pestering


async def test_waiting_for_a_retry_or_a_turn_is_seen_in_the_events(engine, tmp_path):
    """Following a queued run live shows its change of priority."""
    await _busy(engine, tmp_path)
    run_id = await _submit(engine)
    seen = asyncio.create_task(until(engine, run_id, "reprioritized"))
    await engine.desk.reprioritize(SCOPE, run_id, Priority.HIGH)
    await seen
    (tmp_path / "gate").touch()
