"""Gives free seats to waiting runs. The queue is in memory and fed by commits, so nothing is polled; `queue.choose`
decides."""

import asyncio
import contextlib
import logging

from lodestream.errors import LodestreamError, UnknownDataset
from lodestream_server.engine.attempt import Attempt
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.ids import Ids
from lodestream_server.engine.models import EngineSettings
from lodestream_server.engine.queue import Capacity, Waiting, choose, in_order
from lodestream_server.executors.port import Assignment, Executor, PhaseOrder, Seat
from lodestream_server.runs.bodies import Failed, Started
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store.appending import Fact, Guard, RaceLost
from lodestream_server.store.reading import Scope
from lodestream_server.store.records import Dataset, find_dataset
from lodestream_server.store.store import Store
from lodestream_server.workloads.catalogue import Catalogue
from lodestream_server.workloads.phase import DatasetFile

log = logging.getLogger(__name__)


class Dispatcher:
    """The queue and the attempts of one engine."""

    def __init__(
        self, store: Store, executor: Executor, catalogue: Catalogue, clock: Clock, ids: Ids, settings: EngineSettings
    ) -> None:
        self._store = store
        self._executor = executor
        self._catalogue = catalogue
        self._clock = clock
        self._ids = ids
        self._settings = settings
        self._queue: dict[str, Waiting] = {}
        self._attempts: dict[str, Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    def seen(self, run: RunState) -> None:
        """A run as it stands after a commit."""
        if run.state is State.QUEUED:
            queued_at = run.queued_at or run.created
            self._queue[run.run_id] = Waiting(run.run_id, run.tenant_id, run.priority, queued_at, run.resources)
            self._wake.set()
        else:
            self._queue.pop(run.run_id, None)

    def wake(self) -> None:
        """A seat became free."""
        self._wake.set()

    def start(self) -> None:
        """Begins to hand out seats."""
        self._loop = asyncio.create_task(self._dispatch(), name="dispatcher")
        self._wake.set()

    async def drain(self, grace_s: float) -> None:
        """Hands out no more, gives what is at work `grace_s` to end, then hands the rest back to the queue."""
        if self._loop is not None:
            self._loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop
            self._loop = None
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for attempt in [*self._attempts.values()]:
            attempt.stop("drain")
        if self._tasks:
            await asyncio.wait(self._tasks)

    def attempt(self, run_id: str) -> Attempt | None:
        """The run's attempt, while it is in a seat."""
        return self._attempts.get(run_id)

    def at_work(self) -> list[RunState]:
        """Runs in seats."""
        return [attempt.run for attempt in self._attempts.values()]

    def in_order(self) -> list[Waiting]:
        """The queue in the order of its turns."""
        return in_order(self._queue.values(), self._clock.now())

    @property
    def seats(self) -> int:
        """How many runs can be at work at once."""
        return self._executor.seats

    async def _dispatch(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue and self._executor.free > 0:
                await self._fill(await self._executor.take())

    async def _fill(self, seat: Seat) -> None:
        # Chosen only now: while the seat's worker was getting ready, something more urgent may have come.
        chosen = choose(self._queue.values(), Capacity(seats=1), self._clock.now())
        if chosen is None:
            await seat.release()
            return
        del self._queue[chosen.run_id]
        task = asyncio.create_task(self._attend(chosen.run_id, seat), name=f"attempt {chosen.run_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attend(self, run_id: str, seat: Seat) -> None:
        try:
            run = await self._store.run(run_id)
            execution_id = self._ids.new(self._clock.now(), "exec-")
            attempt = Attempt(run, seat, self._store, self._clock, self._settings, execution_id)
            assignment = await self._assignment(run)
        except LodestreamError as fault:
            await self._refuse(run_id, seat, fault)
            return
        self._attempts[run_id] = attempt
        try:
            await attempt.supervise(assignment)
        except Exception:
            log.exception("the attempt at %s broke off", run_id)
        finally:
            if self._attempts.get(run_id) is attempt:
                del self._attempts[run_id]

    async def _refuse(self, run_id: str, seat: Seat, fault: LodestreamError) -> None:
        # The run was fine when it was submitted: its type or its dataset has gone since.
        now = self._clock.now()
        started = Started(1, seat.node, seat.pid, self._ids.new(now, "exec-"))
        with contextlib.suppress(RaceLost, LodestreamError):
            facts = [Fact(started, now), Fact(Failed(fault.reason, fault.message), now)]
            await self._store.append(run_id, facts, Guard(frozenset({State.QUEUED})))
        await seat.release()

    async def _assignment(self, run: RunState) -> Assignment:
        spec = self._catalogue.find(run.kind, run.type)
        dataset = await self._dataset(run)
        return Assignment(
            run_id=run.run_id,
            epoch=run.epoch + 1,
            run_name=run.name,
            parameters=run.parameters,
            phases=tuple(
                PhaseOrder(phase.name, phase.function, phase.version, phase.component, phase.name in run.finished)
                for phase in spec.phases
            ),
            folder=self._store.files.run(run.run_id),
            memory_bytes=run.resources.memory_bytes,
            dataset=self._file(dataset) if dataset else None,
            dataset_sha256=dataset.sha256 if dataset else "",
        )

    async def _dataset(self, run: RunState) -> Dataset | None:
        if (dataset_id := run.dataset_id) is None:
            return None
        scope = Scope(run.tenant_id, run.project_id)
        found = await self._store.read(lambda db: find_dataset(db, scope, dataset_id))
        if found is None:
            raise UnknownDataset
        return found

    def _file(self, dataset: Dataset) -> DatasetFile:
        path = self._store.files.dataset(dataset.dataset_id)
        return DatasetFile(
            dataset.dataset_id,
            dataset.name,
            path,
            dataset.format,  # type: ignore[arg-type]  # one of the four words since its upload
            dataset.size_bytes,
            dataset.mapping,
        )
