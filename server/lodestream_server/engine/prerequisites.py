"""Lets blocked runs go, or ends them, when the runs they need have ended; and keeps to the failure policy of batches.

Fed by commits, and at a start by what has not ended: whatever a crash interrupted is decided again from the store.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from lodestream.errors import BadDataset, LodestreamError, RunAlreadyEnded
from lodestream_server.engine import estimates
from lodestream_server.engine.cancelling import Canceller
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.datasets import Datasets
from lodestream_server.engine.history import History
from lodestream_server.engine.models import CancelOrder
from lodestream_server.runs.batch import BatchState, to_cancel
from lodestream_server.runs.bodies import ArtifactStored, Body, Bound, Failed, Queued, Scheduled
from lodestream_server.runs.events import Event
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store.appending import Fact, Guard, RaceLost
from lodestream_server.store.batches import find_batch
from lodestream_server.store.leaving import ENRICHED, leaving, settled
from lodestream_server.store.reading import Scope
from lodestream_server.store.records import Dataset, artifacts_of, find_dataset
from lodestream_server.store.store import Store

log = logging.getLogger(__name__)

#: While the store cannot write, or has no room for what was left, it is asked again after this, twice, four times …
_AGAIN_S, _LONGEST_S = 1.0, 60.0


class Prerequisites:
    """The waiting of runs for runs."""

    def __init__(self, store: Store, datasets: Datasets, canceller: Canceller, history: History, clock: Clock) -> None:
        self._store = store
        self._datasets = datasets
        self._canceller = canceller
        self._history = history
        self._clock = clock
        self._dependants: dict[str, set[str]] = {}
        self._leaving: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def seen(self, run: RunState) -> None:
        """A run as it stands after a commit."""
        if run.state is State.BLOCKED:
            for needed in run.waiting_for:
                self._dependants.setdefault(needed, set()).add(run.run_id)
            self._soon(partial(self._look, run.run_id))
        elif run.has_ended:
            if run.run_id in self._leaving:
                self._leaving.discard(run.run_id)
                if run.state is State.COMPLETED:
                    self._soon(partial(self._register, run))
            for dependant in sorted(self._dependants.pop(run.run_id, ())):
                self._soon(partial(self._look, dependant))
            if run.batch_id and run.state is not State.COMPLETED:
                self._soon(partial(self._settle, run.batch_id))

    def told(self, events: Sequence[Event]) -> None:
        """What was committed: an event log that a run leaves becomes a dataset when the run has completed."""
        for event in events:
            if isinstance(event.body, ArtifactStored) and event.body.kind == ENRICHED:
                self._leaving.add(event.run_id)

    async def recovered(self, runs: Sequence[RunState]) -> None:
        """What has not ended at a start: its batch may have been about to be stopped. And what has, when what it left
        is no dataset yet."""
        for run_id in await self._store.read(leaving):
            run = await self._store.run(run_id)
            if run.state is State.COMPLETED:
                self._soon(partial(self._register, run))
            else:
                self._leaving.add(run_id)
        for batch_id in sorted({run.batch_id for run in runs if run.batch_id}):
            self._soon(partial(self._settle, batch_id))

    async def close(self) -> None:
        """Decides nothing more; the next start does."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _soon(self, act: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(self._until_done(act))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_done(self, act: Callable[[], Awaitable[None]]) -> None:
        wait_s = _AGAIN_S
        while True:
            try:
                return await act()
            except RaceLost:  # it moved on meanwhile: look again
                continue
            except LodestreamError as fault:
                log.warning("a run that waits for others could not be moved: %s", fault)
            except Exception:
                log.exception("a run that waits for others could not be moved")
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_S)

    async def _look(self, run_id: str) -> None:
        run = await self._store.run(run_id)
        if run.state is not State.BLOCKED:
            return
        needs = [await self._store.run(needed) for needed in run.waiting_for]
        broken = next((need for need in needs if need.has_ended and need.state is not State.COMPLETED), None)
        if broken is not None:
            await self._step(run, [_failed(broken)])
        elif all(need.state is State.COMPLETED for need in needs):
            await self._step(run, [*await self._input(run, needs), self._wait(run)])

    def _wait(self, run: RunState) -> Body:
        if run.scheduled_at is not None and run.scheduled_at > self._clock.now():
            return Scheduled(run.scheduled_at)
        return Queued()

    async def _input(self, run: RunState, needs: Sequence[RunState]) -> Sequence[Body]:
        """What the first of the needed runs that has one leaves: its enriched log, else the log it worked on."""
        if run.dataset_id is not None:
            return ()
        for need in needs:
            if (dataset := await self._left_by(need)) is not None:
                estimate = estimates.duration(await self._history.of(run.tenant_id, run.type), dataset.size_bytes)
                return [Bound(dataset.dataset_id, need.run_id, dataset.size_bytes, estimate)]
        return ()

    async def _register(self, run: RunState) -> None:
        try:
            await self._left_by(run)
        except LodestreamError as fault:  # a run that needs it tries again, and so does the next start
            log.warning("what %s left could not be made a dataset: %s", run.run_id, fault)
            return
        await self._store.write(lambda tx: settled(tx, run.run_id))

    async def _left_by(self, need: RunState) -> Dataset | None:
        scope = Scope(need.tenant_id, need.project_id)
        artifacts = await self._store.read(lambda db: artifacts_of(db, need.run_id))
        for artifact in reversed([one for one in artifacts if one.kind == ENRICHED]):
            path = self._store.files.inside_run(artifact.run_id, artifact.path)
            try:
                return await self._datasets.adopt(scope, artifact, path, need.submitted_by)
            except BadDataset as fault:
                log.warning("%s of %s is no input: %s", artifact.name, need.run_id, fault)
        if (dataset_id := need.dataset_id) is None:
            return None
        return await self._store.read(lambda db: find_dataset(db, scope, dataset_id))

    async def _settle(self, batch_id: str) -> None:
        batch = await self._store.read(lambda db: find_batch(db, batch_id))
        if batch is None:
            return
        runs = tuple([await self._store.run(step.run_id) for step in batch.steps])
        order = CancelOrder("batch", "Another operation of the batch did not complete.")
        for run in to_cancel(BatchState(batch, runs)):
            try:
                await self._canceller.cancel(run.run_id, order)
            except RunAlreadyEnded:
                continue

    async def _step(self, run: RunState, bodies: Sequence[Body]) -> None:
        now = self._clock.now()
        facts = [Fact(body, now) for body in bodies]
        await self._store.append(run.run_id, facts, Guard(frozenset({State.BLOCKED}), run.epoch))


def _failed(broken: RunState) -> Failed:
    ended = broken.state.value.lower().replace("_", " ")
    message = f"It needs {broken.operation_key or broken.name}, which has {ended}."
    return Failed("DEPENDENCY", message, details={"runId": broken.run_id, "state": broken.state.value})
