"""Webhooks of a project: register, look, change, test, send again. Called by WebhookService.

Ids of other projects and ids that never were look the same.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from lodestream.errors import DeliveryNotFound, InvalidField, QuotaExceeded, Violation, WebhookNotFound
from lodestream_server.delivery import attempt_log, attempts, checking, rows
from lodestream_server.delivery.attempts import Attempt, Delivery, Standing
from lodestream_server.delivery.courier import Courier, Live, Parcel
from lodestream_server.delivery.endpoints import Endpoint, Kind, Registration, RetryPolicy, Status
from lodestream_server.delivery.history import telling_of
from lodestream_server.delivery.payload import ping_body
from lodestream_server.delivery.posting import Answer
from lodestream_server.delivery.senders import Caller
from lodestream_server.delivery.service import Service
from lodestream_server.delivery.settings import DeliverySettings
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.ids import Ids
from lodestream_server.store.paging import Page, PageRequest
from lodestream_server.store.reading import Scope
from lodestream_server.store.store import Store
from lodestream_server.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class Rotated:
    """`secret` is there only when it was made here; it is shown this once."""

    secret: str | None
    previous_valid_until: datetime


class Webhooks:
    """See the module."""

    def __init__(
        self,
        store: Store,
        service: Service,
        courier: Courier,
        caller: Caller,
        *,
        clock: Clock,
        ids: Ids,
        settings: DeliverySettings,
    ) -> None:
        self._store = store
        self._service = service
        self._courier = courier
        self._caller = caller
        self._clock = clock
        self._ids = ids
        self._settings = settings

    @property
    def default_retry(self) -> RetryPolicy:
        """What holds where a registration says nothing."""
        return self._settings.retry

    async def resume(self) -> None:
        """Takes up what was to be sent again when the server stopped."""
        for endpoint in await self._store.read(rows.served):
            if endpoint.kind is Kind.WEBHOOK:
                await self._open_again(endpoint)

    async def register(self, scope: Scope, registration: Registration) -> Endpoint:
        """A new webhook, told of what happens from now on. Raises InvalidField, QuotaExceeded."""
        checking.check("webhook_url", registration.address, registration.headers, registration.authentication)
        now = self._clock.now()
        name = self._ids.new(now, "wh-")
        tenant, project, most = scope.tenant_id, scope.project_id, self._settings.webhooks_per_project

        def job(tx: Transaction) -> Endpoint:
            if rows.count(tx.connection, scope, Kind.WEBHOOK) >= most:
                raise QuotaExceeded(f"This project has {most} webhooks already; delete one that is no longer needed.")
            # The position inside the transaction: what was committed before is not for this webhook.
            new = Endpoint(0, name, Kind.WEBHOOK, tenant, project, None, Status.ACTIVE, tx.position, now, registration)
            return rows.add(tx, new)

        made = await self._store.write(job)
        await self._service.serve(made)
        return made

    async def get(self, scope: Scope, webhook_id: str) -> Endpoint:
        """One webhook. Raises WebhookNotFound."""
        found = await self._store.read(lambda db: rows.find(db, scope, Kind.WEBHOOK, webhook_id))
        if found is None:
            raise WebhookNotFound
        return found

    async def list(self, scope: Scope, page: PageRequest) -> Page[Endpoint]:
        """The project's webhooks, newest first. Raises InvalidField, BadPageToken."""
        return await self._store.read(lambda db: rows.webhooks(db, scope, page))

    async def delete(self, scope: Scope, webhook_id: str) -> None:
        """Deletes it with its delivery log. Raises WebhookNotFound."""
        found = await self.get(scope, webhook_id)
        self._service.stop(found.number)
        await self._store.write(lambda tx: rows.remove(tx, found.number))

    async def rotate(self, scope: Scope, webhook_id: str, secret: str = "") -> Rotated:
        """A new secret; the one before signs too for a day. Raises WebhookNotFound, InvalidField."""
        new = secret or secrets.token_urlsafe(32)
        until = self._clock.now() + timedelta(seconds=self._settings.rotation_s)
        await self._change(scope, webhook_id, lambda registration: _rotated(registration, new, until))
        return Rotated(None if secret else new, until)

    async def ping(self, scope: Scope, webhook_id: str) -> Answer:
        """Sends a test now and gives the answer. A success puts a disabled webhook back into service.

        Raises WebhookNotFound.
        """
        found = await self.get(scope, webhook_id)
        now = self._clock.now()
        body = ping_body(found.registration.name, now)
        answer = await self._caller.call(found, self._ids.new(now, "ping-"), body)
        if answer.well and found.status is Status.DISABLED:
            await self._store.write(lambda tx: rows.set_status(tx, found.number, Status.ACTIVE))
            served = replace(found, status=Status.ACTIVE)
            await self._service.serve(served)
            await self._open_again(served)
        return answer

    async def deliveries(
        self, scope: Scope, webhook_id: str, standing: Standing | None, page: PageRequest
    ) -> Page[Delivery]:
        """Deliveries with an attempt, newest first. Raises WebhookNotFound, BadPageToken."""
        found = await self.get(scope, webhook_id)
        return await self._store.read(lambda db: attempt_log.page_of(db, found.number, standing, page))

    async def redeliver(self, scope: Scope, webhook_id: str, delivery_id: str) -> Delivery:
        """The delivery, due now; durable. One that waits for its next attempt no longer waits.

        Raises WebhookNotFound; DeliveryNotFound, also when the log no longer holds its event.
        """
        webhook = await self.get(scope, webhook_id)
        delivery = await self._store.read(lambda db: attempt_log.find(db, webhook.number, delivery_id))
        if delivery is None:
            raise DeliveryNotFound
        waits, now = delivery.standing == "PENDING", self._clock.now()
        if waits and (parcel := self._courier.under_way.get(delivery_id)) is not None:
            parcel.hurry.set()
            return Delivery((*delivery.attempts[:-1], replace(delivery.newest, next=now)))
        parcel = await self._again(webhook, delivery.newest)
        if parcel is None:
            raise DeliveryNotFound("The event of this delivery is no longer kept.")
        if not waits:
            job = partial(_ask_again, number=webhook.number, delivery_id=delivery_id, now=now)
            again, ours = await self._store.write(job)
            if not ours:  # somebody else asked at the same time: theirs is on its way
                return again
            delivery = again
        self._send(webhook, parcel)
        return delivery

    async def _open_again(self, webhook: Endpoint) -> None:
        """Sends what was asked for again and has not been settled; what lies beyond the cursor is the feed's."""
        for one in await self._store.read(lambda db: attempt_log.unsettled(db, webhook.number)):
            if one.position <= webhook.cursor and one.delivery_id not in self._courier.under_way:
                parcel = await self._again(webhook, one)
                if parcel is not None:
                    self._send(webhook, replace(parcel, attempts=one.ordinal, due=one.next))

    async def _again(self, webhook: Endpoint, newest: Attempt) -> Parcel | None:
        telling = await telling_of(self._store, newest.event, newest.run_id, newest.sequence)
        return Parcel(newest.delivery_id, telling, first_due=newest.due) if telling is not None else None

    def _send(self, webhook: Endpoint, parcel: Parcel) -> None:
        live = self._service.live(webhook.number) or Live(webhook, self._settings.per_endpoint)
        self._service.spawn(self._courier.carry(live, parcel))

    async def _change(self, scope: Scope, webhook_id: str, change: Callable[[Registration], Registration]) -> None:
        found = await self.get(scope, webhook_id)
        changed = change(found.registration)
        await self._store.write(lambda tx: rows.keep(tx, found.number, changed))
        if (live := self._service.live(found.number)) is not None:
            live.endpoint = replace(live.endpoint, registration=changed)


def _ask_again(tx: Transaction, number: int, delivery_id: str, now: datetime) -> tuple[Delivery, bool]:
    """The delivery as it stands after it, and whether it was settled until now. Raises DeliveryNotFound."""
    found = attempt_log.find(tx.connection, number, delivery_id)
    if found is None:
        raise DeliveryNotFound  # its webhook was deleted meanwhile
    if found.standing == "PENDING":
        return found, False
    return Delivery((*found.attempts, attempts.ask_again(tx, number, found.newest, now))), True


def _rotated(registration: Registration, new: str, until: datetime) -> Registration:
    old = registration.authentication
    if old is None or old.type != "hmac-sha256":
        raise InvalidField.of(Violation("webhook_id", "names a webhook without an hmac-sha256 secret to replace"))
    changed = replace(old, secret=new, previous=old.secret, previous_until=until)
    return replace(registration, authentication=changed)
