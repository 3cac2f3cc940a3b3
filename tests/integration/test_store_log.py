"""The store's log: what is acknowledged is there, in order, once; a lost race writes nothing; a failed commit fails
its batch alone."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lodestream_server.runs.bodies import Completed, Failed, Logged, Queued, Requeued, Started
from lodestream_server.runs.events import Event
from lodestream_server.runs.fold import IllegalTransition, replay
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind, State
from lodestream_server.store import reading
from lodestream_server.store.appending import Guard, RaceLost, append, begin
from lodestream_server.store.requests import RequestId, remember, remembered
from lodestream_server.store.store import DATABASE, Store
from lodestream_server.store.writer import Transaction

from lodestream.errors import (
    CursorBeyondLog,
    DataDirInUse,
    DiskFull,
    IdempotencyKeyReused,
    RunNotFound,
    StoreDamaged,
    StoreTooNew,
    StoreUnavailable,
)
from tests.integration.store_world import SCOPE, Announcements, facts, new_run, submitted

STARTED = Started(1, "node", 1, "exec")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store of its own for the test."""
    opened = await Store.open(tmp_path / "data")
    yield opened
    await opened.close()


async def _log(store: Store, run_id: str):
    return await store.read(lambda db: reading.events_of(db, run_id))


async def test_the_state_beside_the_log_is_what_the_log_says(store):
    """Replaying the events of a run gives the stored state, and the store survives being opened again."""
    await new_run(store, "r1")
    await store.append("r1", facts(STARTED, Logged("INFO", "hello")))
    ended = await store.append("r1", facts(Completed()))
    assert replay(await _log(store, "r1")) == ended == await store.read(lambda db: reading.one(db, "r1"))
    assert [event.sequence for event in await _log(store, "r1")] == [1, 2, 3, 4, 5]


async def test_positions_follow_the_commits_over_all_runs(store):
    """A hundred runs at once: every position once, and each run's sequence without holes."""
    await asyncio.gather(*(new_run(store, f"r{n}") for n in range(100)))
    await asyncio.gather(*(store.append(f"r{n}", facts(Logged("INFO", "x"))) for n in range(100)))
    events = await store.read(lambda db: reading.events_from(db, 0, 1000))
    assert [event.position for event in events] == list(range(1, 301))
    by_run: dict[str, list[int]] = {}
    for event in events:
        by_run.setdefault(event.run_id, []).append(event.sequence)
    assert all(sequences == [1, 2, 3] for sequences in by_run.values())


async def test_nobody_reads_an_event_before_its_commit_is_announced(store):
    """Who were told of it, and came back at once, would be beyond the log as the store knows it."""
    await new_run(store, "r1")
    announcements = Announcements(store)
    announcements.hold()
    appended = asyncio.create_task(store.append("r1", facts(STARTED)))
    while len(await _log(store, "r1")) < 3:  # noqa: ASYNC110  # nobody is told: that is the point
        await asyncio.sleep(0)
    assert (await store.run("r1")).last_sequence == 2
    assert [event.sequence for event in await store.events("r1")] == [1, 2]
    announcements.release()
    assert (await appended).last_sequence == 3
    assert [event.sequence for event in await store.events("r1")] == [1, 2, 3]


async def test_a_run_that_is_read_from_the_disk_is_not_ahead_of_what_is_announced(store):
    """Who follows it from there would wait for events that it holds to be told already, or break off."""
    await new_run(store, "r1")
    store._states.clear()  # as after a restart, or when others were busier
    store._recent.clear()
    announcements = Announcements(store)
    announcements.hold()
    appended = asyncio.create_task(store.append("r1", facts(STARTED)))
    while not announcements.holds:  # noqa: ASYNC110  # the writer's thread is on its way
        await asyncio.sleep(0.001)
    read = asyncio.create_task(store.run("r1"))
    told: list[int] = []

    async def follow() -> None:
        async for event in store.tail("r1"):
            told.append(event.sequence)

    following = asyncio.create_task(follow())
    for _ in range(20):
        await store.read(lambda db: None)
    assert not read.done()
    announcements.release()
    await appended
    assert (await read).last_sequence == 3
    await store.append("r1", facts(Completed(), at_s=1))
    await asyncio.wait_for(following, 10)
    assert told == [1, 2, 3, 4]


async def test_a_watcher_that_breaks_off_keeps_nobody_waiting(store, caplog):
    """Who wrote is answered, other watchers and tails hear of it."""

    def broken(_events: Any, _changed: Any) -> None:
        raise KeyError("nothing")

    heard: list[str] = []
    store.listen(broken)
    store.listen(lambda events, _changed: heard.extend(event.kind for event in events))
    async with asyncio.timeout(10):
        await new_run(store, "r1")
        tail = store.tail("r1", 2)
        told = asyncio.ensure_future(anext(tail))
        await store.append("r1", facts(STARTED))
        assert (await told).body == STARTED
        await tail.aclose()
    assert heard == ["submitted", "queued", "started"]
    assert "a watcher of the store broke off" in caplog.text


async def test_a_lost_race_writes_nothing(store):
    """Two want to start the run; one does, the other learns how it stands now."""
    run = await new_run(store, "r1")
    guard = Guard(frozenset({State.QUEUED}), run.epoch)
    answers = await asyncio.gather(
        *(store.append("r1", facts(STARTED), guard) for _ in range(2)), return_exceptions=True
    )
    (lost,) = [answer for answer in answers if isinstance(answer, RaceLost)]
    assert (lost.run.state, lost.run.epoch) == (State.RUNNING, 1)
    assert len(await _log(store, "r1")) == 3


async def test_an_earlier_holder_is_refused_by_its_epoch(store):
    """After the run was handed back, what the old attempt still says does not count."""
    await new_run(store, "r1")
    first = await store.append("r1", facts(STARTED))
    await store.append("r1", facts(Requeued("SERVER_RESTARTED"), STARTED))
    with pytest.raises(RaceLost):
        await store.append("r1", facts(Completed()), Guard(epoch=first.epoch))


async def test_one_job_that_fails_does_not_fail_its_batch(store):
    """The savepoint of the bad one is undone; its neighbours in the same commit stay."""
    await new_run(store, "r1")
    await new_run(store, "r2")
    answers = await asyncio.gather(
        store.append("r1", facts(Logged("INFO", "a"))),
        store.append("r2", facts(Logged("INFO", "half"), Completed())),
        store.append("r1", facts(Logged("INFO", "b"))),
        return_exceptions=True,
    )
    assert isinstance(answers[1], IllegalTransition)
    assert [run.last_sequence for run in answers if isinstance(run, RunState)] == [3, 4]
    assert [event.kind for event in await _log(store, "r2")] == ["submitted", "queued"]
    assert (await store.append("r2", facts(STARTED))).last_sequence == 3


class _Failing:
    """A connection whose COMMIT fails while told so."""

    def __init__(self, real: sqlite3.Connection) -> None:
        self.real = real
        self.fault: sqlite3.Error | None = None

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "COMMIT" and self.fault is not None:
            raise self.fault
        return self.real.execute(sql, *values)

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)


def _full() -> sqlite3.Error:
    fault = sqlite3.OperationalError("database or disk is full")
    fault.sqlite_errorname = "SQLITE_FULL"
    return fault


@pytest.mark.parametrize(
    ("fault", "expected"), [(_full(), DiskFull), (sqlite3.OperationalError("disk I/O error"), StoreUnavailable)]
)
async def test_a_failing_commit_fails_its_batch_and_not_the_thread(store, fault, expected):
    """Nobody in the batch is told yes, nobody hears its events, and the next commit works with the right numbers."""
    await new_run(store, "r1")
    heard: list[Event] = []
    store.listen(lambda events, _: heard.extend(events))
    failing = _Failing(store._writer._connection)
    store._writer._connection = failing
    failing.fault = fault
    answers = await asyncio.gather(
        *(store.append("r1", facts(Logged("INFO", str(n)))) for n in range(5)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [expected] * 5
    assert heard == []
    failing.fault = None
    run = await store.append("r1", facts(Logged("INFO", "after")))
    assert (run.last_sequence, [event.position for event in heard]) == (3, [3])
    assert [event.sequence for event in await _log(store, "r1")] == [1, 2, 3]


async def test_a_run_ends_once_even_past_the_fold(store):
    """The unique index refuses a second ending from whoever finds a way around the state machine."""
    await new_run(store, "r1")
    await store.append("r1", facts(STARTED, Completed()))

    def cheat(tx: Transaction) -> None:
        tx.connection.execute("INSERT INTO events VALUES (99, 'r1', 99, 0, 'failed', '{}')")

    with pytest.raises(StoreUnavailable):
        await store.write(cheat)


async def test_a_second_server_is_refused_with_the_reason(store, tmp_path):
    """The lock names the process that holds the directory, and goes with it."""
    with pytest.raises(DataDirInUse, match=r"process \d+"):
        await Store.open(tmp_path / "data")


async def test_a_closed_store_frees_its_directory(tmp_path):
    """After closing, the next one opens, with the same identity."""
    first = await Store.open(tmp_path)
    await first.close()
    second = await Store.open(tmp_path)
    assert second.id == first.id
    await second.close()


async def test_a_newer_store_is_refused_and_left_alone(tmp_path):
    """An older program does not touch what it does not know."""
    await (await Store.open(tmp_path)).close()
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.execute("PRAGMA user_version = 9999")
    connection.close()
    before = (tmp_path / DATABASE).read_bytes()
    with pytest.raises(StoreTooNew, match="9999"):
        await Store.open(tmp_path)
    assert (tmp_path / DATABASE).read_bytes() == before


async def test_a_damaged_store_is_refused_and_left_alone(tmp_path):
    """What is no database is not replaced by an empty one."""
    (tmp_path / DATABASE).write_bytes(b"no database at all, " * 1000)
    with pytest.raises(StoreDamaged):
        await Store.open(tmp_path)
    assert (tmp_path / DATABASE).read_bytes().startswith(b"no database")


async def test_a_listener_hears_the_story_as_it_commits(store):
    """History first, then live, ending after the terminal event."""
    await new_run(store, "r1")
    told: list[str] = []

    async def listen() -> None:
        async for event in store.tail("r1"):
            told.append(event.kind)

    listener = asyncio.create_task(listen())
    await store.append("r1", facts(STARTED))
    await store.append("r1", facts(Logged("INFO", "x")))
    await store.append("r1", facts(Failed("X", "x")))
    await listener
    assert told == ["submitted", "queued", "started", "logged", "failed"]


async def test_a_late_listener_hears_the_whole_story(store):
    """Tailing from zero after the end gives the events a live listener saw, in the same order."""
    await new_run(store, "r1")
    live = asyncio.create_task(_all(store, "r1"))
    await store.append("r1", facts(STARTED, Completed()))
    assert [event async for event in store.tail("r1")] == await live


async def _all(store: Store, run_id: str):
    return [event async for event in store.tail(run_id)]


@pytest.mark.parametrize("after", range(5))
async def test_a_tail_resumes_after_any_event(store, after):
    """No gap, no repeat, wherever it broke off; from the end there is nothing more."""
    await new_run(store, "r1")
    await store.append("r1", facts(STARTED, Completed()))
    assert [event.sequence async for event in store.tail("r1", after)] == list(range(after + 1, 5))


async def test_a_tail_reads_what_memory_has_forgotten(store):
    """A watcher thousands of events behind catches up from the disk and goes on live."""
    await new_run(store, "r1")
    await store.append("r1", facts(STARTED))
    for _ in range(30):
        await store.append("r1", facts(*(Logged("INFO", "x") for _ in range(100))))
    tail = store.tail("r1")
    seen = [(await anext(tail)).sequence for _ in range(3003)]
    assert seen == list(range(1, 3004))
    await store.append("r1", facts(Completed()))
    assert [event.sequence async for event in tail] == [3004]


async def test_a_cursor_beyond_the_log_is_refused(store):
    """Waiting there would be silence for ever."""
    await new_run(store, "r1")
    with pytest.raises(CursorBeyondLog):
        await anext(store.tail("r1", 3))
    with pytest.raises(RunNotFound):
        await anext(store.tail("nobody"))
    with pytest.raises(CursorBeyondLog):
        await anext(store.everything(3))


async def test_a_quiet_tail_says_so(store):
    """After `idle_s` without news an empty batch comes, and the tail goes on."""
    await new_run(store, "r1")
    tail = store.batches("r1", 2, idle_s=0.01)
    assert await anext(tail) == ()
    await store.append("r1", facts(STARTED, Completed()))
    assert [event.kind for event in await anext(tail)] == ["started", "completed"]


async def test_everybody_at_the_same_place_shares_one_read(store):
    """A thousand watchers are woken once and get the same slice of the same memory."""
    await new_run(store, "r1")
    tails = [store.batches("r1", 2) for _ in range(1000)]
    waiting = [asyncio.ensure_future(anext(tail)) for tail in tails]
    await asyncio.sleep(0)
    await store.append("r1", facts(STARTED))
    batches = await asyncio.gather(*waiting)
    assert {id(batch) for batch in batches} == {id(batches[0])}
    await asyncio.gather(*(tail.aclose() for tail in tails))


async def test_all_runs_can_be_tailed_in_commit_order(store):
    """What later deliveries stand on: a cursor over the whole store."""
    await new_run(store, "r1")
    tail = store.everything(0)
    assert [event.run_id for event in await anext(tail)] == ["r1", "r1"]
    await new_run(store, "r2")
    assert [event.position for event in await anext(tail)] == [3, 4]


async def test_a_watched_run_is_not_forgotten(store, monkeypatch):
    """Memory keeps few runs; one that somebody watches is among them however many others come."""
    monkeypatch.setattr("lodestream_server.store.store.RUNS_IN_MEMORY", 3)
    await new_run(store, "watched")
    listener = asyncio.create_task(_all(store, "watched"))
    for n in range(10):
        await new_run(store, f"r{n}")
    await store.append("watched", facts(STARTED, Completed()))
    assert len(await listener) == 4


async def test_counters_follow_every_transition(store):
    """Kept in the same transaction, per project and kind."""
    await new_run(store, "r1")
    await new_run(store, "r2")
    await new_run(store, "op", kind=RunKind.OPERATION)
    await store.append("r1", facts(STARTED))
    counts = await store.read(lambda db: reading.counters(db, SCOPE, RunKind.JOB))
    assert (counts[State.QUEUED], counts[State.RUNNING], sum(counts.values())) == (1, 1, 2)


async def test_one_effect_for_many_sends(store):
    """A second send with the same id and body finds the first answer; another body is refused."""

    def send(body: bytes, run_id: str):
        def job(tx: Transaction) -> str:
            request = RequestId("jobs", "req-1", body)
            if (known := remembered(tx.connection, request)) is not None:
                return known.decode()
            begin(tx, run_id, facts(submitted(), Queued()))
            remember(tx, request, run_id.encode(), facts(Queued())[0].time)
            return run_id

        return store.write(job)

    assert [*await asyncio.gather(send(b"a", "r1"), send(b"a", "r2"), send(b"a", "r3"))] == ["r1", "r1", "r1"]
    with pytest.raises(IdempotencyKeyReused):
        await send(b"b", "r4")


async def test_writing_to_an_unknown_run_is_refused(store):
    """There is nothing to append to."""
    with pytest.raises(RunNotFound):
        await store.write(lambda tx: append(tx, "nobody", facts(STARTED)))
