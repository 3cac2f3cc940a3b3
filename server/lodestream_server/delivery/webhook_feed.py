"""Serves a webhook: tails the whole log from its cursor and carries what it wants, in order within each run and side by
side across runs.

Its backlog is the log: at most a window of deliveries is in memory, and a receiver that does not answer holds up
nobody else.
"""

import asyncio
from collections import deque
from functools import partial

from lodestream_server.delivery import attempt_log, rows
from lodestream_server.delivery.attempts import Attempt
from lodestream_server.delivery.courier import Courier, Live, Parcel, parcel_of
from lodestream_server.delivery.follower import Follower
from lodestream_server.delivery.settings import DeliverySettings
from lodestream_server.delivery.tellings import Telling
from lodestream_server.delivery.window import Window
from lodestream_server.runs.events import Event
from lodestream_server.store.store import Store


class WebhookFeed:
    """One webhook's service; `run` once, until it is cancelled or the webhook no longer served."""

    def __init__(self, live: Live, store: Store, courier: Courier, settings: DeliverySettings) -> None:
        self._live = live
        self._store = store
        self._courier = courier
        self._settings = settings
        self._follower = Follower(store, live.endpoint)
        self._lanes: dict[str, deque[Parcel]] = {}
        self._begun: dict[tuple[str, int], Attempt] = {}
        self._settled: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Serves. Whatever a lane fails with ends the whole, so that it begins again from the stored cursor."""
        number = self._live.endpoint.number
        found = await self._store.read(lambda db: rows.by_number(db, number))
        if found is None:
            return
        # A store that was put back to an earlier day has fewer events than the cursor says.
        cursor = min(found.cursor, self._store.position)
        open_ = await self._store.read(lambda db: attempt_log.unsettled(db, number))
        self._begun = {(one.run_id, one.sequence): one for one in open_ if one.position > cursor}
        settled = await self._store.read(lambda db: attempt_log.settled_after(db, number, cursor))
        # One that was settled and is to be sent again is open.
        self._settled = settled - {one.position for one in open_}
        window = Window(cursor, self._settings.window)
        async with asyncio.TaskGroup() as lanes:
            reading = lanes.create_task(self._read(window, lanes))
            saving = lanes.create_task(self._save(window, cursor))
            await self._live.stopped.wait()
            reading.cancel()
            saving.cancel()

    async def _read(self, window: Window, lanes: asyncio.TaskGroup) -> None:
        async for batch in self._store.everything(window.read):
            for event in batch:
                telling = await self._telling(event)
                if telling is None or event.position in self._settled:
                    window.read = event.position
                    continue
                await window.enter(event.position)
                self._put(self._parcel(telling), window, lanes)

    async def _telling(self, event: Event) -> Telling | None:
        seen = await self._follower.see(event)
        if seen is None:
            return None
        before = self._begun.get((event.run_id, event.sequence))
        # What was begun goes on, whatever has become of the filters since.
        return Telling(before.event, event, seen.run) if before is not None else seen.telling

    def _parcel(self, telling: Telling) -> Parcel:
        before = self._begun.pop((telling.event.run_id, telling.event.sequence), None)
        return parcel_of(self._live.endpoint.endpoint_id, telling, before)

    def _put(self, parcel: Parcel, window: Window, lanes: asyncio.TaskGroup) -> None:
        run_id = parcel.telling.event.run_id
        if (lane := self._lanes.get(run_id)) is not None:
            lane.append(parcel)
            return
        self._lanes[run_id] = deque([parcel])
        lanes.create_task(self._lane(run_id, window))

    async def _lane(self, run_id: str, window: Window) -> None:
        """Carries one run's parcels, one after the other; ends when there is none."""
        lane = self._lanes[run_id]
        while lane:
            parcel = lane[0]
            position = parcel.telling.event.position
            await self._courier.carry(self._live, parcel, partial(window.without, position))
            if self._live.stopped.is_set():
                return
            window.settle(position)
            lane.popleft()
        del self._lanes[run_id]

    async def _save(self, window: Window, saved: int) -> None:
        """Writes the cursor now and then: where nothing is delivered, no attempt carries it along."""
        number = self._live.endpoint.number
        while True:
            await asyncio.sleep(self._settings.save_s)
            if (cursor := window.cursor) > saved:
                await self._store.write(lambda tx: rows.move(tx, number, cursor))  # awaited
                saved = cursor
