"""The engine as servicers see it: typed, asynchronous, and the only way to change a run from outside.

What is acknowledged is committed. Ids of other projects and ids that never were look the same. Errors are
`lodestream.errors`.
"""

import logging
import random
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path

from lodestream.errors import ArtifactNotFound, RunNotFound
from lodestream_server.engine import estimates
from lodestream_server.engine.aftermath import Aftermath
from lodestream_server.engine.allocation import MachineSize
from lodestream_server.engine.assignments import Assignments
from lodestream_server.engine.backoff import Dice
from lodestream_server.engine.batches import Batches
from lodestream_server.engine.cancelling import Canceller
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.datasets import Datasets
from lodestream_server.engine.dispatcher import Dispatcher
from lodestream_server.engine.history import History
from lodestream_server.engine.ids import Ids
from lodestream_server.engine.keys import Keys
from lodestream_server.engine.leavings import Leavings
from lodestream_server.engine.models import CancelOrder, EngineSettings, NewRun, QueuePlace, Submission
from lodestream_server.engine.places import Places
from lodestream_server.engine.prerequisites import Prerequisites
from lodestream_server.engine.queue_desk import QueueDesk
from lodestream_server.engine.recovery import recover
from lodestream_server.engine.resources import Resources
from lodestream_server.engine.retention import Retention
from lodestream_server.engine.retrying import Retrying
from lodestream_server.engine.submitting import Submitting
from lodestream_server.engine.timers import Timers
from lodestream_server.executors.port import Executor
from lodestream_server.runs.bodies import Json, PhaseCompleted
from lodestream_server.runs.events import Event
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind, State
from lodestream_server.store import reading
from lodestream_server.store.batches import dependants_of
from lodestream_server.store.paging import Page, PageRequest
from lodestream_server.store.reading import RunFilter, Scope
from lodestream_server.store.records import Artifact, artifacts_of, find_artifact
from lodestream_server.store.store import Store
from lodestream_server.workloads.catalogue import Catalogue

log = logging.getLogger(__name__)


class Engine:
    """Runs of all tenants. Make it with `opening.open_engine`; it starts there and closes when that context ends."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        catalogue: Catalogue,
        datasets: Datasets,
        keys: Keys,
        *,
        settings: EngineSettings,
        clock: Clock,
        ids: Ids,
        dice: Dice = random.random,
    ) -> None:
        self.datasets = datasets
        self.keys = keys
        self._store = store
        self._executor = executor
        self._catalogue = catalogue
        self._settings = settings
        self._clock = clock
        self._ids = ids
        #: Pipelines, notebooks and models that jobs refer to.
        self.resources = Resources(store, catalogue, clock, ids, settings.quotas)
        self._history = History(store)
        self._leavings = Leavings(store)
        #: Removes what is old, as the settings say.
        self.retention = Retention(store, self._leavings, clock, settings.retention)
        machine = MachineSize(max(1, executor.seats), settings.cpu_units, settings.memory_bytes)
        aftermath = Aftermath(self._leavings, clock, settings.poison_limit, machine, dice)
        assignments = Assignments(store, catalogue)
        self._dispatcher = Dispatcher(store, executor, assignments, clock, ids, settings, machine, aftermath)
        self._canceller = Canceller(store, self._dispatcher, clock, self._leavings, settings.queue_limit_s)
        self._timers = Timers(clock, self._canceller.due, settings.queue_limit_s)
        self._submitting = Submitting(store, catalogue, self._history, machine, clock, ids, settings.quotas)
        self._places = Places(store, self._dispatcher, clock, settings)
        #: Tries ended runs again, as new ones.
        self.retrying = Retrying(store, catalogue, self._submitting, self._leavings, self._places.submission)
        #: Runs that belong together.
        self.groups = Batches(store, self._submitting, self._canceller, ids)
        self._prerequisites = Prerequisites(store, datasets, self._canceller, self._history, clock)
        #: Steers the queue: pause, resume, purge, reprioritise, explain.
        self.desk = QueueDesk(store, self._dispatcher, self._canceller, clock)
        self._draining = False

    @property
    def store_id(self) -> str:
        """Identity of the store, for resume tokens."""
        return self._store.id

    @property
    def store(self) -> Store:
        """What is kept, for those who tell others of it; runs are changed through the engine alone."""
        return self._store

    @property
    def ids(self) -> Ids:
        """Where new ids come from."""
        return self._ids

    @property
    def position(self) -> int:
        """Of the newest committed event of all runs."""
        return self._store.position

    @property
    def clock(self) -> Clock:
        """The engine's time."""
        return self._clock

    @property
    def draining(self) -> bool:
        """Whether nothing new is taken any more."""
        return self._draining

    async def start(self) -> None:
        """Recovers what a crash left behind, then begins to work."""
        await self._executor.open(self._dispatcher.wake)
        self._store.listen(self._committed)
        await self.desk.open()
        await self._leavings.sweep()
        unended = await recover(self._store, self._clock, self._leavings)
        for run in unended:
            self._seen(run)
        await self._prerequisites.recovered(unended)
        self._timers.start()
        self.retention.start()
        self._dispatcher.start()

    async def drain(self, grace_s: float = 30.0) -> None:
        """Takes nothing new, lets running work end for `grace_s`, hands the rest back without costing it an attempt."""
        self._draining = self._submitting.draining = True
        await self._dispatcher.drain(grace_s)

    async def close(self) -> None:
        """Drains without grace and closes everything; afterwards the data directory is free."""
        await self.drain(0.0)
        await self._prerequisites.close()
        await self._timers.stop()
        await self.retention.stop()
        await self._executor.close()
        await self._leavings.close()
        await self._store.close()

    async def submit(self, new: NewRun) -> Submission:
        """A new run, committed with its first events; or the earlier one when `new.request` was sent before.

        Raises InvalidField, NotBuilt, UnknownDataset, UnknownResource, UnknownRun, DependencyProblem,
        IdempotencyKeyReused, QuotaExceeded, ServerDraining, DiskFull, StoreUnavailable.
        """
        run, repeated = await self._submitting.submit(new)
        return self._places.submission(run, repeated)

    async def get(self, scope: Scope, run_id: str, kind: RunKind | None = None) -> RunState:
        """The run as last committed. Raises RunNotFound, also for another project's or kind's."""
        run = await self._store.run(run_id)
        if (run.tenant_id, run.project_id) != (scope.tenant_id, scope.project_id) or kind not in (None, run.kind):
            raise RunNotFound
        return run

    async def list(self, scope: Scope, wanted: RunFilter, page: PageRequest) -> Page[RunState]:
        """A page of runs, newest first. Raises InvalidField, PageBeyondWindow, BadPageToken."""
        return await self._store.read(lambda db: reading.page_of_runs(db, scope, wanted, page))

    async def counters(self, scope: Scope, kind: RunKind) -> Mapping[State, int]:
        """How many runs of the project are in each state; every state is there."""
        return await self._store.read(lambda db: reading.counters(db, scope, kind))

    async def totals(self) -> Mapping[tuple[str, str], int]:
        """How many runs of all tenants there are of each kind and state."""
        return await self._store.read(reading.totals)

    async def cancel(self, scope: Scope, run_id: str, order: CancelOrder, kind: RunKind | None = None) -> RunState:
        """The cancelled run with its receipt, after the terminal commit; the same answer when repeated.

        Raises RunNotFound; RunAlreadyEnded for a run that completed, failed or timed out.
        """
        await self.get(scope, run_id, kind)
        return await self._canceller.cancel(run_id, order)

    async def ended(self, scope: Scope, run_id: str) -> RunState:
        """The run after its terminal commit; waits for it. Raises RunNotFound."""
        await self.get(scope, run_id)
        return await self._canceller.ended(run_id)

    async def events(
        self,
        scope: Scope,
        run_id: str,
        *,
        after: int = 0,
        kinds: Collection[str] | None = None,
        limit: int | None = None,
    ) -> tuple[Event, ...]:
        """Committed events of a run above `after`, oldest first; only these kinds, at most so many. Raises
        RunNotFound."""
        await self.get(scope, run_id)
        most = -1 if limit is None else limit
        return await self._store.events(run_id, after, kinds, most)

    async def phase_results(self, scope: Scope, run_id: str) -> Mapping[str, Json]:
        """What finished phases returned, by name, in order. Raises RunNotFound."""
        await self.get(scope, run_id)
        events = await self._store.read(lambda db: reading.results_of(db, run_id))
        return {event.body.phase: event.body.results for event in events if isinstance(event.body, PhaseCompleted)}

    async def dependants(self, scope: Scope, run_id: str) -> tuple[RunState, ...]:
        """Runs that need this one, whether or not they have ended. Raises RunNotFound."""
        await self.get(scope, run_id)
        found = await self._store.read(lambda db: dependants_of(db, run_id))
        return tuple([await self._store.run(one) for one in found])

    async def artifacts(self, scope: Scope, run_id: str) -> tuple[Artifact, ...]:
        """Files that the run published, in the order of their storing. Raises RunNotFound."""
        await self.get(scope, run_id)
        return await self._store.read(lambda db: artifacts_of(db, run_id))

    async def artifact(self, scope: Scope, artifact_id: str) -> Artifact:
        """A published file. Raises ArtifactNotFound."""
        found = await self._store.read(lambda db: find_artifact(db, scope, artifact_id))
        if found is None:
            raise ArtifactNotFound
        return found

    def artifact_path(self, artifact: Artifact) -> Path:
        """Where its content is."""
        return self._store.files.inside_run(artifact.run_id, artifact.path)

    async def tail(self, scope: Scope, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Every event of a run with a sequence above `after`, oldest first, then live ones as they commit.

        Ends after the terminal event, so `async for` is a complete wait. To resume, pass the last sequence you saw.
        Raises RunNotFound; CursorBeyondLog when `after` exceeds the newest sequence.
        """
        await self.get(scope, run_id)
        async for event in self._store.tail(run_id, after):
            yield event

    async def batches(
        self, scope: Scope, run_id: str, after: int = 0, *, idle_s: float | None = None
    ) -> AsyncIterator[tuple[Event, ...]]:
        """Like `tail`, all that waits at once; an empty batch after `idle_s` without news."""
        await self.get(scope, run_id)
        async for batch in self._store.batches(run_id, after, idle_s=idle_s):
            yield batch

    def store_batches(self, after: int, *, idle_s: float | None = None) -> AsyncIterator[tuple[Event, ...]]:
        """Events of all runs with a position above `after`, in commit order, without end; () after `idle_s` without
        news.

        Raises CursorBeyondLog when `after` exceeds the newest position.
        """
        return self._store.everything(after, idle_s=idle_s)

    async def queue(self) -> tuple[QueuePlace, ...]:
        """All queued runs in the order of their turns."""
        return await self._places.every()

    async def queue_place(self, run_id: str) -> QueuePlace | None:
        """A queued run's place; None when it does not wait in the queue."""
        return await self._places.of(run_id)

    async def expected_disk_bytes(self, run: RunState) -> int | None:
        """What the run's files should take, from its tenant's earlier runs of the type; None without any."""
        return estimates.disk_bytes(await self._history.of(run.tenant_id, run.type), run.size_bytes)

    def at_work(self) -> Sequence[RunState]:
        """Runs in seats, of all tenants."""
        return self._dispatcher.at_work()

    @property
    def seats(self) -> int:
        """How many runs can be at work at once."""
        return self._dispatcher.seats

    def _committed(self, events: Sequence[Event], changed: Sequence[RunState]) -> None:
        self._prerequisites.told(events)
        for run in changed:
            try:
                self._seen(run)
            except Exception:  # one run that cannot be looked at must not keep the others of the commit from it
                log.exception("%s could not be looked at after its commit", run.run_id)

    def _seen(self, run: RunState) -> None:
        self._dispatcher.seen(run)
        self._timers.seen(run)
        self._history.seen(run)
        self._leavings.seen(run)
        self._prerequisites.seen(run)
