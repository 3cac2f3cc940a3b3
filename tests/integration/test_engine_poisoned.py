"""One run that meets a fault of the server's own, wherever it does: it ends, and all others go their way."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from lodestream_server.engine import dispatcher
from lodestream_server.engine.aftermath import Aftermath
from lodestream_server.engine.assignments import Assignments
from lodestream_server.engine.batches import NewBatch, NewStep
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder
from lodestream_server.engine.timers import Timers
from lodestream_server.executors.port import Done
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind, State

from tests.integration.clocks import ManualClock
from tests.integration.engine_world import SCOPE, job, kinds
from tests.integration.played_pool import PlayedPool, played_engine

POISON = "poison"


@pytest.fixture
def pool() -> PlayedPool:
    """Two seats; who has one ends when the test says so."""
    return PlayedPool(2)


@pytest.fixture
async def engine(tmp_path: Path, pool: PlayedPool) -> AsyncIterator[Engine]:
    """An engine over them."""
    opened = await played_engine(tmp_path, pool, ManualClock())
    yield opened
    await opened.close()


def _fault() -> Any:
    raise KeyError("nothing")


def _in_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be compared with others."""
    as_waiting = dispatcher.as_waiting

    def spoiled(run: RunState) -> Any:
        waiting = as_waiting(run)
        return replace(waiting, resources=cast(Any, None)) if run.name == POISON else waiting

    monkeypatch.setattr(dispatcher, "as_waiting", spoiled)


def _on_its_way_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be made of its state."""
    as_waiting = dispatcher.as_waiting

    def spoiled(run: RunState) -> Any:
        return _fault() if run.name == POISON else as_waiting(run)

    monkeypatch.setattr(dispatcher, "as_waiting", spoiled)


def _before_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """No order can be made of it."""
    of = Assignments.of

    async def spoiled(self: Assignments, run: RunState) -> Any:
        return _fault() if run.name == POISON else await of(self, run)

    monkeypatch.setattr(Assignments, "of", spoiled)


def _after_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can tell what follows."""
    of = Aftermath.of

    async def spoiled(self: Aftermath, run: RunState, *rest: Any) -> Any:
        return _fault() if run.name == POISON else await of(self, run, *rest)

    monkeypatch.setattr(Aftermath, "of", spoiled)


async def _ends(engine: Engine, pool: PlayedPool, run_id: str) -> RunState:
    """The run after its end; whatever gets a seat is done at once."""

    async def done() -> None:
        while True:
            for seat in pool.begun.values():
                seat.end(Done())
            await asyncio.sleep(0.005)

    playing = asyncio.create_task(done())
    async with asyncio.timeout(20):
        run = await engine.ended(SCOPE, run_id)
    playing.cancel()
    return run


@pytest.mark.parametrize("poisoned", [_in_the_queue, _on_its_way_there, _before_its_work, _after_its_work])
async def test_one_poisoned_run_fails_and_the_others_complete(engine, pool, monkeypatch, poisoned):
    """It says so in words that tell nothing of the inside; its seat goes to the next."""
    poisoned(monkeypatch)
    ids = [(await engine.submit(job("OnlyWait", name=name))).run.run_id for name in ("one", POISON, "two", "three")]
    ended = {run.name: run for run in [await _ends(engine, pool, run_id) for run_id in ids]}
    assert [ended[name].state for name in ("one", "two", "three")] == [State.COMPLETED] * 3
    failure = ended[POISON].failure
    assert failure is not None
    assert (ended[POISON].state, failure.reason) == (State.FAILED, "INTERNAL")
    assert "nothing" not in failure.message
    after = (await engine.submit(job("OnlyWait"))).run.run_id
    assert (await _ends(engine, pool, after)).state is State.COMPLETED


async def test_a_poisoned_run_that_is_being_cancelled_is_cancelled(engine, pool, monkeypatch):
    """Not failed: somebody was promised that."""
    _after_its_work(monkeypatch)
    run_id = (await engine.submit(job("OnlyWait", name=POISON))).run.run_id
    async with asyncio.timeout(20):
        while run_id not in pool.begun:  # noqa: ASYNC110  # the dispatcher is on its way
            await asyncio.sleep(0.005)
        run = await engine.cancel(SCOPE, run_id, CancelOrder("ann"))
    assert run.state is State.CANCELLED
    assert (await kinds(engine, run_id))[-1] == "cancelled"


async def test_a_run_that_cannot_be_looked_at_keeps_no_other_from_its_turn(engine, pool, monkeypatch):
    """Of a batch that was committed at once, for example."""
    seen = Timers.seen

    def spoiled(self: Timers, run: RunState) -> None:
        if run.name == POISON:
            _fault()
        seen(self, run)

    monkeypatch.setattr(Timers, "seen", spoiled)
    steps = tuple(NewStep(name, job("Gate", kind=RunKind.OPERATION, name=name)) for name in ("one", POISON, "two"))
    async with asyncio.timeout(10):
        batch = await engine.groups.submit(NewBatch(SCOPE, "A batch", steps))
    for run in batch.runs:
        assert (await _ends(engine, pool, run.run_id)).has_ended


async def test_a_seat_that_could_not_be_had_is_asked_for_again(engine, pool, monkeypatch):
    """A fault of the machine, not of the run that waits."""
    take, asked = pool.take, []

    async def broken_at_first() -> Any:
        asked.append(1)
        if len(asked) == 1:
            raise OSError(24, "Too many open files")
        return await take()

    monkeypatch.setattr(pool, "take", broken_at_first)
    monkeypatch.setattr(dispatcher, "_AGAIN_S", 0.01)
    run_id = (await engine.submit(job("OnlyWait"))).run.run_id
    assert (await _ends(engine, pool, run_id)).state is State.COMPLETED
