"""One delivery from its first attempt to its end: send, write down what came of it, wait, send again.

At least once: an attempt is written after it was made, so a crash in between repeats it, with the same id. Nothing
counts as settled before the store has it.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lodestream.errors import LodestreamError
from lodestream_server.delivery import attempts, backoff
from lodestream_server.delivery.attempts import Attempt, DisablingRule, Outcome
from lodestream_server.delivery.endpoints import Endpoint, Kind, Status
from lodestream_server.delivery.senders import Sender, Sent
from lodestream_server.delivery.settings import DeliverySettings
from lodestream_server.delivery.tellings import Telling, delivery_id
from lodestream_server.engine.clock import Clock
from lodestream_server.store.store import Store

log = logging.getLogger(__name__)


class Live:
    """An endpoint in service. `endpoint` is replaced when its registration changes; whoever sends looks here."""

    def __init__(self, endpoint: Endpoint, at_once: int) -> None:
        self.endpoint = endpoint
        self.slots = asyncio.Semaphore(at_once)
        #: Set once it is no longer served; feeds and couriers end then.
        self.stopped = asyncio.Event()


@dataclass(slots=True)
class Parcel:
    """A telling on its way to an endpoint. `attempts` were made already; the next is due at `due`."""

    delivery_id: str
    telling: Telling
    attempts: int = 0
    due: datetime | None = None
    first_due: datetime | None = None
    #: Somebody does not want to wait for `due`.
    hurry: asyncio.Event = field(default_factory=asyncio.Event)


def parcel_of(endpoint_id: str, telling: Telling, before: Attempt | None) -> Parcel:
    """The parcel of a telling; `before` is its newest attempt, where some were made already."""
    name = delivery_id(endpoint_id, telling.event.run_id, telling.event.sequence)
    if before is None:
        return Parcel(name, telling)
    return Parcel(name, telling, before.ordinal, before.next, before.due)


class Courier:
    """Carries parcels of all endpoints."""

    def __init__(self, store: Store, clock: Clock, settings: DeliverySettings, senders: Mapping[Kind, Sender]) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._senders = senders
        self._at_once = asyncio.Semaphore(settings.at_once)
        self._rule = DisablingRule(settings.disable_after, settings.disable_after_s)
        #: Parcels that are on their way, by delivery.
        self.under_way: dict[str, Parcel] = {}

    async def carry(self, live: Live, parcel: Parcel, cursor: Callable[[], int] | None = None) -> None:
        """Returns when the delivery is settled or the endpoint no longer served. `cursor` says how far the endpoint is
        settled once this parcel is; without it the endpoint's cursor stays."""
        self.under_way[parcel.delivery_id] = parcel
        try:
            while not live.stopped.is_set():
                await self._wait(live, parcel)
                if live.stopped.is_set() or await self._attempt(live, parcel, cursor):
                    return
        finally:
            if self.under_way.get(parcel.delivery_id) is parcel:  # not one that was asked for as this one ended
                del self.under_way[parcel.delivery_id]

    async def _wait(self, live: Live, parcel: Parcel) -> None:
        if parcel.due is None or parcel.due <= self._clock.now():
            return
        waits = [
            asyncio.ensure_future(one)
            for one in (self._clock.sleep_until(parcel.due), parcel.hurry.wait(), live.stopped.wait())
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        parcel.hurry.clear()

    async def _attempt(self, live: Live, parcel: Parcel, cursor: Callable[[], int] | None) -> bool:
        """Whether the delivery is settled."""
        async with live.slots, self._at_once:
            endpoint = live.endpoint
            sent = await self._send(endpoint, parcel)
        now = self._clock.now()
        parcel.attempts += 1
        outcome, again = self._verdict(endpoint, parcel.attempts, sent, now)
        parcel.due = again
        made = _made(parcel, sent, outcome, now)
        over = outcome in attempts.SETTLED
        await self._write(live, made, cursor if over else None, sent.gone)
        return over

    async def _send(self, endpoint: Endpoint, parcel: Parcel) -> Sent:
        if (sender := self._senders.get(endpoint.kind)) is None:
            return Sent(False, 0.0, error=f"this server is not set up for {endpoint.kind} any more")
        try:
            return await sender.send(endpoint, parcel.delivery_id, parcel.telling)
        except Exception:  # of ours, in wording it: an attempt that failed, or it would be made for ever
            log.exception("an attempt broke off", extra={"delivery": parcel.delivery_id})
            return Sent(False, 0.0, error="an unexpected fault of this server")

    def _verdict(self, endpoint: Endpoint, made: int, sent: Sent, now: datetime) -> tuple[Outcome, datetime | None]:
        if sent.well:
            return "delivered", None
        policy = endpoint.registration.retry or self._settings.retry
        wait = None if sent.gone else backoff.wait_s(policy, made, random.random(), sent.retry_after_s)
        return ("failed", None) if wait is None else ("retry", now + timedelta(seconds=wait))

    async def _write(self, live: Live, made: Attempt, cursor: Callable[[], int] | None, gone: bool) -> None:
        number = live.endpoint.number
        while True:
            try:
                reached = cursor() if cursor is not None else None
                status = await self._store.write(
                    lambda tx: attempts.record(tx, number, made, reached, self._rule, gone=gone)  # noqa: B023  # awaited
                )
                break
            except LodestreamError as fault:  # disk full and the like: what is not written is not settled
                log.warning("an attempt could not be written down: %s", fault, extra={"delivery": made.delivery_id})
                await asyncio.sleep(self._settings.trouble_s)
        if status is not Status.ACTIVE and not live.stopped.is_set():
            log.warning("an endpoint is no longer served", extra={"endpoint": live.endpoint.endpoint_id})
            live.stopped.set()


def _made(parcel: Parcel, sent: Sent, outcome: Outcome, now: datetime) -> Attempt:
    event = parcel.telling.event
    return Attempt(
        parcel.delivery_id,
        event.run_id,
        event.sequence,
        event.position,
        parcel.telling.word,
        parcel.attempts,
        parcel.first_due or event.time,
        now,
        outcome,
        sent.status,
        sent.took_s,
        sent.error,
        parcel.due,
    )
