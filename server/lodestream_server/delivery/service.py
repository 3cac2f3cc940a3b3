"""Which endpoints are in service: a task each for webhooks, and for endpoints of runs that are no longer waiting.

The finder reads the whole log: it adds the endpoints that submissions ask for, and wakes the sleeping ones when their
run begins or ends. A task that fails unexpectedly begins again from its stored cursor.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, Final

from lodestream.errors import RunNotFound
from lodestream_server.delivery import rows
from lodestream_server.delivery.asked_for import asked_for, asked_for_batch
from lodestream_server.delivery.batch_feed import BatchFeed
from lodestream_server.delivery.courier import Courier, Live
from lodestream_server.delivery.endpoints import Endpoint, Kind, Status
from lodestream_server.delivery.run_feed import RunFeed
from lodestream_server.delivery.settings import DeliverySettings
from lodestream_server.delivery.webhook_feed import WebhookFeed
from lodestream_server.engine.clock import Clock
from lodestream_server.runs.bodies import Started, Submitted
from lodestream_server.runs.events import Event
from lodestream_server.runs.states import WAITING
from lodestream_server.store.batches import find_batch
from lodestream_server.store.store import Store

log = logging.getLogger(__name__)

_FINDER: Final = "finder"
#: Events that the finder may read again after a crash.
_SAVE_EVERY: Final = 1000


class Service:
    """See the module. `serve` from the loop that runs it."""

    def __init__(self, store: Store, courier: Courier, clock: Clock, settings: DeliverySettings) -> None:
        self._store = store
        self._courier = courier
        self._clock = clock
        self._settings = settings
        self._live: dict[int, Live] = {}
        self._sleeping: dict[str, list[Live]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Takes up whatever was in service, and begins to find."""
        cursor = await self._store.read(lambda db: rows.cursor_of(db, _FINDER))
        if cursor is None:
            cursor = self._store.position
            await self._store.write(lambda tx: rows.set_cursor(tx, _FINDER, self._store.position))
        for endpoint in await self._store.read(rows.served):
            await self.serve(endpoint)
        self.spawn(self._find(min(cursor, self._store.position)))

    async def close(self) -> None:
        """Stops at once; attempts under way are made again after the next start."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def live(self, number: int) -> Live | None:
        """The endpoint in service; None when it is not."""
        found = self._live.get(number)
        return found if found is not None and not found.stopped.is_set() else None

    async def serve(self, endpoint: Endpoint) -> None:
        """Puts an endpoint into service, unless it is."""
        if self.live(endpoint.number) is not None or not endpoint.registration.served:
            return
        live = self._live[endpoint.number] = Live(endpoint, self._settings.per_endpoint)
        if endpoint.kind in (Kind.WEBHOOK, Kind.BATCH_CALLBACK):
            self.spawn(self._kept_going(live))
            return
        assert endpoint.run_id is not None  # of one run
        # Asleep first: the run may begin while it is looked up.
        self._sleeping.setdefault(endpoint.run_id, []).append(live)
        if not await self._waits(endpoint.run_id):
            self._wake(endpoint.run_id)

    def stop(self, number: int) -> None:
        """Takes an endpoint out of service."""
        if (live := self._live.pop(number, None)) is not None:
            live.stopped.set()
            run_id = live.endpoint.run_id
            if run_id is not None and live in (asleep := self._sleeping.get(run_id, [])):
                asleep.remove(live)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs beside the others until it ends or the service closes; not at all once it has."""
        if self._closed:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _kept_going(self, live: Live) -> None:
        while not live.stopped.is_set():
            try:
                await self._feed(live).run()
                break
            except Exception:
                log.exception("serving an endpoint failed", extra={"endpoint": live.endpoint.endpoint_id})
                await asyncio.sleep(self._settings.trouble_s)
        if self._live.get(live.endpoint.number) is live:
            del self._live[live.endpoint.number]

    def _feed(self, live: Live) -> WebhookFeed | BatchFeed | RunFeed:
        if live.endpoint.kind is Kind.WEBHOOK:
            return WebhookFeed(live, self._store, self._courier, self._settings)
        if live.endpoint.kind is Kind.BATCH_CALLBACK:
            return BatchFeed(live, self._store, self._courier)
        return RunFeed(live, self._store, self._courier, self._clock)

    async def _waits(self, run_id: str) -> bool:
        try:
            return (await self._store.run(run_id)).state in WAITING
        except RunNotFound:
            return False

    def _wake(self, run_id: str) -> None:
        for live in self._sleeping.pop(run_id, ()):
            self.spawn(self._kept_going(live))

    async def _find(self, cursor: int) -> None:
        while True:
            try:
                async for batch in self._store.everything(cursor):
                    await self._look(batch, cursor)
                    cursor = batch[-1].position
            except Exception:
                log.exception("finding endpoints failed")
                await asyncio.sleep(self._settings.trouble_s)

    async def _look(self, batch: Sequence[Event], before: int) -> None:
        submitted = [(event, event.body) for event in batch if isinstance(event.body, Submitted)]
        found = [
            endpoint
            for event, body in submitted
            for endpoint in asked_for(event.run_id, body, event.time, self._settings)
        ]
        for name in dict.fromkeys(body.batch_id for _, body in submitted if body.batch_id):
            whole = await self._store.read(partial(find_batch, batch_id=name))
            # All of a batch is committed at once, so nothing of it happened before this.
            found += asked_for_batch(whole, before, self._settings) if whole is not None else []
        here = batch[-1].position
        if found or here // _SAVE_EVERY > before // _SAVE_EVERY:
            for endpoint in await self._store.write(lambda tx: _added(tx, found, here)):
                if endpoint.status is Status.ACTIVE:
                    await self.serve(endpoint)
        for event in batch:
            if isinstance(event.body, Started) or event.ends_run:
                self._wake(event.run_id)


def _added(tx: Any, found: Sequence[Endpoint], cursor: int) -> list[Endpoint]:
    rows.set_cursor(tx, _FINDER, cursor)
    return [rows.add(tx, endpoint) for endpoint in found]
