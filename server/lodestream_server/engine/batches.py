"""Batches: submitted whole or not at all, looked at, cancelled. Their operations are ordinary runs."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from lodestream.errors import InvalidField, LodestreamError, RunAlreadyEnded, RunNotFound, Violation
from lodestream_server.engine.cancelling import Canceller
from lodestream_server.engine.ids import Ids
from lodestream_server.engine.models import CancelOrder, NewRun
from lodestream_server.engine.submitting import Prepared, Submitting
from lodestream_server.runs.batch import Batch, BatchState, FailurePolicy, Step
from lodestream_server.runs.bodies import CancelRequested, Json
from lodestream_server.runs.graph import in_order
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store.appending import current
from lodestream_server.store.batches import add_batch, cancel_batch, find_batch
from lodestream_server.store.reading import Scope
from lodestream_server.store.requests import RequestId, remember, remembered
from lodestream_server.store.store import Store
from lodestream_server.store.writer import Transaction

#: `retryFailedOperations`: once more, at once, unless the operation's own retryPolicy says otherwise.
_ONCE_MORE: Json = {"maxRetries": 1, "retryDelay": 0}


@dataclass(frozen=True, slots=True)
class NewStep:
    """An operation to be: its key, the keys it needs, and the run."""

    key: str
    run: NewRun
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch to be; every run is in the scope."""

    scope: Scope
    name: str
    steps: tuple[NewStep, ...]
    description: str = ""
    submitted_by: str = ""
    policy: FailurePolicy = field(default_factory=FailurePolicy)
    retry_failed: bool = False
    callbacks: Json = field(default_factory=dict)
    request: RequestId | None = None


class Batches:
    """The batches of an engine."""

    def __init__(self, store: Store, submitting: Submitting, canceller: Canceller, ids: Ids) -> None:
        self._store = store
        self._submitting = submitting
        self._canceller = canceller
        self._ids = ids

    async def submit(self, new: NewBatch) -> BatchState:
        """The batch, committed with all its runs; the earlier one when `new.request` was sent before.

        Raises DependencyProblem, NotBuilt, and InvalidField, UnknownDataset, UnknownRun with the step's place in front.
        """
        if not new.steps:
            raise InvalidField.of(Violation("operations", "must hold at least one operation"))
        order = in_order([step.key for step in new.steps], [step.needs for step in new.steps])
        now = self._submitting.now()
        batch_id = self._ids.new(now, "batch-")
        ids = {step.key: self._submitting.new_id(step.run) for step in new.steps}
        try:
            prepared = [await self._prepare(new, index, batch_id, ids) for index in range(len(new.steps))]
        except LodestreamError:  # as for a run: see Submitting.submit
            if (known := await self._submitting.answered(new.request)) is None:
                raise
            return await self.get(new.scope, known)
        batch = _batch(new, batch_id, ids, now)
        return await self._store.write(lambda tx: self._write(tx, new, batch, prepared, order))

    async def get(self, scope: Scope, batch_id: str) -> BatchState:
        """The batch as it is now. Raises RunNotFound."""
        batch = await self._store.read(lambda db: find_batch(db, batch_id, scope))
        if batch is None:
            raise RunNotFound("There is no such batch in this project.")
        return BatchState(batch, tuple([await self._store.run(step.run_id) for step in batch.steps]))

    async def cancel(self, scope: Scope, batch_id: str, order: CancelOrder) -> BatchState:
        """The batch after its last operation has stopped; the same answer when repeated.

        Raises RunNotFound; RunAlreadyEnded for one that ended without having been cancelled.
        """
        state = await self.get(scope, batch_id)
        if not state.has_ended:
            request = CancelRequested(order.by, order.reason, order.force, order.preserve, order.notify)
            await self._store.write(lambda tx: cancel_batch(tx, batch_id, request))
            # Those that wait first, so that none of them starts meanwhile.
            await asyncio.gather(*(self._stop(run, order) for run in reversed(state.runs) if not run.has_ended))
            state = await self.get(scope, batch_id)
        stopped = any(run.state is State.CANCELLED for run in state.runs)  # none when all of them were quicker
        if state.batch.cancel is None or not stopped:
            raise RunAlreadyEnded(f"The batch has ended as {state.state} and cannot be cancelled any more.")
        return state

    async def _stop(self, run: RunState, order: CancelOrder) -> None:
        try:
            await self._canceller.cancel(run.run_id, order)
        except RunAlreadyEnded:
            return

    async def _prepare(self, new: NewBatch, index: int, batch_id: str, ids: dict[str, str]) -> Prepared:
        step = new.steps[index]
        extras = dict(step.run.extras)
        if new.retry_failed:
            extras.setdefault("retryPolicy", _ONCE_MORE)
        run = replace(
            step.run,
            extras=extras,
            batch_id=batch_id,
            operation_key=step.key,
            dependencies=tuple(ids[key] for key in dict.fromkeys(step.needs)),
        )
        try:
            return await self._submitting.prepare(run)
        except InvalidField as fault:
            raise InvalidField.of(*_placed(fault.violations, index)) from fault

    def _write(
        self, tx: Transaction, new: NewBatch, batch: Batch, prepared: Sequence[Prepared], order: Sequence[int]
    ) -> BatchState:
        if new.request and (known := remembered(tx.connection, new.request)) is not None:
            found = find_batch(tx.connection, orjson.loads(known))
            assert found is not None  # remembered in its transaction
            return BatchState(found, tuple(current(tx, step.run_id) for step in found.steps))
        begun = {index: self._begin(tx, batch.steps[index], index, prepared[index]) for index in order}
        add_batch(tx, batch)
        if new.request:
            remember(tx, new.request, orjson.dumps(batch.batch_id), batch.created)
        return BatchState(batch, tuple(begun[index] for index in range(len(batch.steps))))

    def _begin(self, tx: Transaction, step: Step, index: int, prepared: Prepared) -> RunState:
        try:
            return self._submitting.begin(tx, step.run_id, prepared, self._submitting.now())
        except LodestreamError as fault:
            if not fault.violations:  # no matter of this operation: a quota, a full disk
                raise
            placed = _placed(fault.violations, index)
            raise type(fault)(f"operations[{index}].{fault}", violations=placed) from fault


def _batch(new: NewBatch, batch_id: str, ids: Mapping[str, str], now: datetime) -> Batch:
    return Batch(
        batch_id=batch_id,
        tenant_id=new.scope.tenant_id,
        project_id=new.scope.project_id,
        name=new.name,
        created=now,
        steps=tuple(Step(step.key, ids[step.key], step.needs) for step in new.steps),
        description=new.description,
        submitted_by=new.submitted_by,
        policy=new.policy,
        callbacks=new.callbacks,
    )


def _placed(violations: Sequence[Violation], index: int) -> list[Violation]:
    return [Violation(f"operations[{index}].{one.field}", one.description) for one in violations]
