"""After a start: what the last server left at work goes back to the queue, and what it was told to cancel is cancelled.

A clean shutdown leaves nothing at work, so whatever is found here lost its server to a crash. That is not the run's
fault.
"""

import asyncio
import logging
from datetime import datetime

from lodestream_server.engine.clock import Clock
from lodestream_server.engine.leavings import Leavings
from lodestream_server.executors.orphans import end_orphan
from lodestream_server.runs.bodies import Body, Cancelled, Receipt, Requeued
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import AT_WORK, State
from lodestream_server.store.appending import Fact, Guard, RaceLost
from lodestream_server.store.reading import unended
from lodestream_server.store.records import dataset_ids
from lodestream_server.store.resources import resource_ids
from lodestream_server.store.store import Store

log = logging.getLogger(__name__)


async def recover(store: Store, clock: Clock, leavings: Leavings) -> list[RunState]:
    """Puts the store in order; every run that has not ended, oldest first."""
    datasets, resources = await store.read(dataset_ids), await store.read(resource_ids)
    await asyncio.to_thread(store.files.sweep, datasets, resources)
    for run in await store.read(lambda db: unended(db, AT_WORK)):
        if run.pid is not None and await asyncio.to_thread(end_orphan, run.pid, store.id):
            log.warning("ended worker %d, which a server before this one left behind", run.pid)
        await _take_from_work(store, clock, leavings, run)
    return await store.read(lambda db: unended(db, [state for state in State if state not in AT_WORK]))


async def _take_from_work(store: Store, clock: Clock, leavings: Leavings, run: RunState) -> None:
    while run.at_work:
        kept = await leavings.kept(run) if run.state is State.CANCELLING else []
        facts = [Fact(body, clock.now()) for body in (*kept, _next(run, clock.now()))]
        try:
            run = await store.append(run.run_id, facts, Guard(frozenset({run.state}), run.epoch))
        except RaceLost as lost:  # the end of one before it, and with that its batch, has cancelled it meanwhile
            run = lost.run


def _next(run: RunState, now: datetime) -> Body:
    if run.state is not State.CANCELLING:
        return Requeued("SERVER_RESTARTED", "The server was restarted.")
    keeps = run.cancel is None or run.cancel.preserve
    took_s = max(0.0, (now - (run.cancel_requested_at or now)).total_seconds())
    # A worker whose pipe ends kills its own process group.
    return Cancelled(Receipt("SIGKILL", round(took_s, 3), run.finished if keeps else (), run.resources))
