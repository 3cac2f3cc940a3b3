"""Serves an endpoint of one run: a subscription, a callback, an e-mail, a Slack message. One delivery after the other,
in the order of the run's events, until the run has ended and everything is settled."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import cast

from lodestream.errors import RunNotFound
from lodestream_server.delivery import attempt_log, rows
from lodestream_server.delivery.courier import Courier, Live, parcel_of
from lodestream_server.delivery.endpoints import Kind, Status
from lodestream_server.delivery.history import see, told_up_to
from lodestream_server.delivery.tellings import Telling
from lodestream_server.engine.clock import Clock
from lodestream_server.runs.events import Event
from lodestream_server.store.store import Store


class RunFeed:
    """One endpoint's service; `run` once."""

    def __init__(self, live: Live, store: Store, courier: Courier, clock: Clock) -> None:
        assert live.endpoint.run_id is not None  # of one run
        self._live = live
        self._run_id = live.endpoint.run_id
        self._store = store
        self._courier = courier
        self._clock = clock

    async def run(self) -> None:
        """Returns when nothing will be told any more."""
        endpoint = self._live.endpoint
        try:
            # The cursor in the store, not the one this endpoint was registered with: it may have moved since.
            found = await self._store.read(lambda db: rows.by_number(db, endpoint.number))
            if found is None:
                return
            await self._tell(found.cursor)
        except RunNotFound:
            pass  # removed, with everything there was to tell
        if not self._live.stopped.is_set():
            await self._store.write(lambda tx: rows.set_status(tx, endpoint.number, self._end()))
            self._live.stopped.set()

    async def _tell(self, cursor: int) -> None:
        endpoint = self._live.endpoint
        wishes = endpoint.registration.wishes
        begun = {
            one.sequence: one for one in await self._store.read(lambda db: attempt_log.unsettled(db, endpoint.number))
        }
        told = await told_up_to(self._store, wishes, self._run_id, cursor)
        waits = cast(AsyncGenerator[tuple[Event, ...], None], self._store.batches(self._run_id, cursor))
        async with aclosing(waits) as batches:
            async for event in _each(batches):
                told, telling = await see(self._store, wishes, told, event)
                before = begun.pop(event.sequence, None)
                if before is not None and told.run is not None:
                    telling = Telling(before.event, event, told.run)
                if telling is None or self._is_unwanted(telling):
                    continue
                if self._over(event.time) or self._live.stopped.is_set():
                    return
                parcel = parcel_of(endpoint.endpoint_id, telling, before)
                # Everything before the event is settled, since events come one after the other.
                await self._courier.carry(self._live, parcel, partial(int, event.sequence))

    def _is_unwanted(self, telling: Telling) -> bool:
        """Whether whoever cancelled the run wanted its callbacks not to hear of it."""
        request = telling.run.cancel
        is_callback = self._live.endpoint.kind is Kind.CALLBACK
        return is_callback and telling.event.ends_run and request is not None and not request.notify

    def _over(self, when: datetime) -> bool:
        """Whether the endpoint's time was over when it happened, or is by now."""
        return self._live.endpoint.status_at(max(when, self._clock.now())) is Status.EXPIRED

    def _end(self) -> Status:
        return Status.EXPIRED if self._over(self._clock.now()) else Status.DONE


async def _each(batches: AsyncGenerator[tuple[Event, ...], None]) -> AsyncIterator[Event]:
    async for batch in batches:
        for event in batch:
            yield event
