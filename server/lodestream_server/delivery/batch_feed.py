"""Serves a callback of a batch: one delivery after the other, in commit order over the batch's operations, until the
last of them has ended."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import cast

from lodestream_server.delivery import attempt_log, rows
from lodestream_server.delivery.attempts import Attempt
from lodestream_server.delivery.batch_tellings import BatchTold, fold, step
from lodestream_server.delivery.courier import Courier, Live, parcel_of
from lodestream_server.delivery.endpoints import Status
from lodestream_server.delivery.tellings import Telling
from lodestream_server.runs.batch import Batch
from lodestream_server.runs.events import Event
from lodestream_server.runs.fold import BrokenSequence
from lodestream_server.store.batches import find_batch
from lodestream_server.store.reading import events_of
from lodestream_server.store.store import Store

log = logging.getLogger(__name__)


class BatchFeed:
    """One endpoint's service; `run` once. Its cursor is a position of the store."""

    def __init__(self, live: Live, store: Store, courier: Courier) -> None:
        self._live = live
        self._store = store
        self._courier = courier

    async def run(self) -> None:
        """Returns when nothing will be told any more."""
        number, batch_id = self._live.endpoint.number, self._live.endpoint.run_id or ""
        found = await self._store.read(lambda db: rows.by_number(db, number))
        batch = await self._store.read(lambda db: find_batch(db, batch_id))
        if found is not None and batch is not None:
            try:
                await self._tell(batch, min(found.cursor, self._store.position))
            except BrokenSequence:  # the log of an operation was cut before the callback could be called
                log.warning("a batch's callback is given up, its log was cut", extra={"endpoint": found.endpoint_id})
        if not self._live.stopped.is_set():
            await self._store.write(lambda tx: rows.set_status(tx, number, Status.DONE))
            self._live.stopped.set()

    async def _tell(self, batch: Batch, cursor: int) -> None:
        endpoint = self._live.endpoint
        open_ = await self._store.read(lambda db: attempt_log.unsettled(db, endpoint.number))
        begun = {(one.run_id, one.sequence): one for one in open_}
        told = await self._told_up_to(batch, cursor)
        ids = {one.run_id for one in batch.steps}
        waits = cast(AsyncGenerator[tuple[Event, ...], None], self._store.everything(cursor))
        if _over(told):
            return
        async with aclosing(waits) as batches:
            async for events in batches:
                for event in events:
                    if event.run_id not in ids:
                        continue
                    told, telling = step(endpoint.registration.wishes, told, event)
                    await self._carry(telling, begun.get((event.run_id, event.sequence)))
                    if _over(told) or self._live.stopped.is_set():
                        return

    async def _carry(self, telling: Telling | None, before: Attempt | None) -> None:
        if telling is None:
            return
        parcel = parcel_of(self._live.endpoint.endpoint_id, telling, before)
        await self._courier.carry(self._live, parcel, partial(int, telling.event.position))

    async def _told_up_to(self, batch: Batch, position: int) -> BatchTold:
        events: list[Event] = []
        for one in batch.steps:
            story = await self._store.read(partial(events_of, run_id=one.run_id))
            events += [event for event in story if event.position <= position]
        events.sort(key=lambda event: event.position)
        return await asyncio.to_thread(fold, self._live.endpoint.registration.wishes, batch, events)


def _over(told: BatchTold) -> bool:
    return told.whole is not None and told.whole.has_ended
