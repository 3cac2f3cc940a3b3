"""Subscriptions to one job, and what became of an operation's callbacks. Called by the servicers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lodestream.errors import QuotaExceeded, SubscriptionNotFound
from lodestream_server.delivery import checking, rows
from lodestream_server.delivery.endpoints import Endpoint, Kind, Registration, Status
from lodestream_server.delivery.service import Service
from lodestream_server.delivery.settings import DeliverySettings
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.ids import Ids
from lodestream_server.runs.state import RunState
from lodestream_server.store.store import Store
from lodestream_server.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class CallbackCounts:
    """The documented `callbacks` of an operation's status."""

    progress_sent: int = 0
    last_progress: datetime | None = None
    successful: int = 0
    failed: int = 0


class Subscriptions:
    """See the module. The caller has looked the run up: it is in the caller's project."""

    def __init__(self, store: Store, service: Service, *, clock: Clock, ids: Ids, settings: DeliverySettings) -> None:
        self._store = store
        self._service = service
        self._clock = clock
        self._ids = ids
        self._settings = settings

    async def subscribe(self, run: RunState, registration: Registration) -> Endpoint:
        """A new subscription, told of what happens from now on; of its end at once, if the run has ended.

        Raises InvalidField, QuotaExceeded.
        """
        if registration.served:
            checking.check("webhook_url", registration.address, {}, registration.authentication)
        now = self._clock.now()
        new = Endpoint(
            0,
            self._ids.new(now, "sub-"),
            Kind.SUBSCRIPTION,
            run.tenant_id,
            run.project_id,
            run.run_id,
            Status.ACTIVE,
            run.last_sequence - run.has_ended,
            now,
            registration,
            now + timedelta(seconds=self._settings.subscription_s),
        )
        made = await self._store.write(lambda tx: self._added(tx, new))
        await self._service.serve(made)
        return made

    def _added(self, tx: Transaction, new: Endpoint) -> Endpoint:
        most = self._settings.subscriptions_per_job
        if rows.count_of_run(tx.connection, new.run_id or "", Kind.SUBSCRIPTION) >= most:
            raise QuotaExceeded(f"This job has {most} subscriptions already; end one that is no longer needed.")
        return rows.add(tx, new)

    async def list(self, run: RunState) -> tuple[Endpoint, ...]:
        """The run's subscriptions, newest first."""
        return await self._store.read(lambda db: rows.of_run(db, run.run_id, Kind.SUBSCRIPTION))

    async def delete(self, run: RunState, subscription_id: str) -> None:
        """Ends one. Raises SubscriptionNotFound."""
        found = next((one for one in await self.list(run) if one.endpoint_id == subscription_id), None)
        if found is None:
            raise SubscriptionNotFound
        self._service.stop(found.number)
        await self._store.write(lambda tx: rows.remove(tx, found.number))

    async def callbacks(self, run_id: str) -> CallbackCounts:
        """What became of an operation's callbacks; zeros for one without."""
        found = await self._store.read(lambda db: rows.of_run(db, run_id, Kind.CALLBACK))
        progress = [one.stats for one in found if one.registration.name == "onProgress"]
        return CallbackCounts(
            sum(stats.begun for stats in progress),
            max((stats.last_delivery for stats in progress if stats.last_delivery), default=None),
            sum(one.stats.delivered for one in found),
            sum(one.stats.failed for one in found),
        )
