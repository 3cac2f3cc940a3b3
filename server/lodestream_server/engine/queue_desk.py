"""Steers the queue: pause, resume, purge, reprioritise, explain. What it changes is durable before it counts."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from lodestream.errors import RunAlreadyStarted, RunNotFound
from lodestream_server.engine.cancelling import Canceller
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.dispatcher import Dispatcher
from lodestream_server.engine.explaining import Around, explain
from lodestream_server.engine.models import CancelOrder, Explanation
from lodestream_server.runs.bodies import Reprioritized
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import WAITING, Priority, RunKind
from lodestream_server.store.appending import Fact, Guard, RaceLost
from lodestream_server.store.pauses import Pause, add_pause, all_pauses, remove_pause
from lodestream_server.store.reading import Scope
from lodestream_server.store.store import Store
from lodestream_server.store.throughput import EndedSince, ended_since, mean_wait_s


class QueueDesk:
    """The queue of an engine, for those who steer it."""

    def __init__(self, store: Store, dispatcher: Dispatcher, canceller: Canceller, clock: Clock) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._canceller = canceller
        self._clock = clock
        self._pauses: dict[Scope, Pause] = {}
        #: Set once a queue was paused or resumed; then another one takes its place.
        self.turned = asyncio.Event()

    async def open(self) -> None:
        """Takes up pauses that a server before this one was told of; before any run gets a seat."""
        for pause in await self._store.read(all_pauses):
            self._note(pause)

    def paused(self, scope: Scope) -> Pause | None:
        """The project's pause; None when its queue gives out work."""
        return self._pauses.get(scope)

    def waiting(self, scope: Scope) -> int:
        """How many runs of the project wait in the queue."""
        return len(self._queued(scope))

    async def mean_wait_s(self, tenant_id: str, project_id: str | None = None) -> float | None:
        """Mean wait of the newest hundred starts of a tenant, or of one project; None without any."""
        return await self._store.read(lambda db: mean_wait_s(db, tenant_id, project_id))

    async def ended_since(self, tenant_id: str, since: datetime) -> EndedSince:
        """What ended of a tenant since then."""
        return await self._store.read(lambda db: ended_since(db, tenant_id, since))

    def emptied_in_s(self, tenant_id: str, project_id: str | None = None) -> float | None:
        """Seconds of work that wait, spread over all workers; None when some of it is of unknown length, or none
        waits."""
        waiting = [one for one in self._dispatcher.in_order() if one.tenant_id == tenant_id]
        lengths = [one.expected_s for one in waiting if project_id in (None, one.project_id)]
        known = [length for length in lengths if length is not None]
        return sum(known) / self._dispatcher.seats if known and len(known) == len(lengths) else None

    async def pause(self, scope: Scope, by: str = "", reason: str = "") -> Pause:
        """Starts nothing more of a project; the pause that there is already counts on. Survives a restart."""
        pause = Pause(scope.tenant_id, scope.project_id, self._clock.now(), by, reason)
        kept = await self._store.write(lambda tx: add_pause(tx, pause))
        self._note(kept)
        return kept

    async def resume(self, scope: Scope) -> None:
        """Starts work of the project again."""
        await self._store.write(lambda tx: remove_pause(tx, scope))
        self._pauses.pop(scope, None)
        self._dispatcher.paused.discard(scope)
        self._dispatcher.wake()
        self._turn()

    async def purge(self, scope: Scope, order: CancelOrder, priority: Priority | None = None) -> int:
        """Cancels what waits in the project's queue, of one priority or all; how many were cancelled."""
        queued = self._queued(scope, priority)
        return sum([await self._canceller.cancel_queued(run_id, order) for run_id in queued])

    async def reprioritize(
        self, scope: Scope, run_id: str, priority: Priority, by: str = "", kind: RunKind | None = None
    ) -> RunState:
        """The run with its new priority. Raises RunNotFound; RunAlreadyStarted once a worker was at it."""
        while True:
            run = await self._get(scope, run_id, kind)
            if run.state not in WAITING:
                raise RunAlreadyStarted(f"The run is {run.state}; its priority means nothing any more.")
            if run.priority is priority:
                return run
            fact = Fact(Reprioritized(priority, by), self._clock.now())
            try:
                return await self._store.append(run_id, [fact], Guard(WAITING, run.epoch))
            except RaceLost:  # it moved on meanwhile: look again
                continue

    async def explain(self, scope: Scope, run_id: str, kind: RunKind | None = None) -> Explanation:
        """What a run waits for. Raises RunNotFound."""
        run = await self._get(scope, run_id, kind)
        ahead, pause = self._dispatcher.ahead(run_id) or (), self._pauses.get(scope)
        around = Around(ahead[:-1], self._dispatcher.free, pause is not None, pause.reason if pause else "")
        return explain(run, around, [await self._store.run(needed) for needed in run.waiting_for])

    async def _get(self, scope: Scope, run_id: str, kind: RunKind | None) -> RunState:
        run = await self._store.run(run_id)
        if Scope(run.tenant_id, run.project_id) != scope or kind not in (None, run.kind):
            raise RunNotFound
        return run

    def _note(self, pause: Pause) -> None:
        self._pauses[pause.scope] = pause
        self._dispatcher.paused.add(pause.scope)
        self._turn()

    def _turn(self) -> None:
        turned, self.turned = self.turned, asyncio.Event()
        turned.set()

    def _queued(self, scope: Scope, priority: Priority | None = None) -> Sequence[str]:
        return [
            waiting.run_id
            for waiting in self._dispatcher.in_order()
            if Scope(waiting.tenant_id, waiting.project_id) == scope and priority in (None, waiting.priority)
        ]
