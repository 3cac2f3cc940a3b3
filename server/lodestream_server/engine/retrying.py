"""Trying an ended run again, as a new run that points to its origin and takes over what need not be done again."""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import orjson

from lodestream.errors import RunNotFound, RunNotRetryable
from lodestream_server.engine import allocation, inputs, taking_over
from lodestream_server.engine.leavings import Leavings
from lodestream_server.engine.merging import merged
from lodestream_server.engine.models import NewRun, Retried, RetryOrder, Submission
from lodestream_server.engine.submitting import Prepared, Submitting, asked
from lodestream_server.engine.taking_over import Kept
from lodestream_server.runs.codec import dump, load
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind, State
from lodestream_server.store.appending import current
from lodestream_server.store.doomed import doom
from lodestream_server.store.reading import Scope
from lodestream_server.store.requests import RequestId, remember, remembered
from lodestream_server.store.store import Store
from lodestream_server.store.writer import Transaction
from lodestream_server.worker import checkpoint
from lodestream_server.workloads.catalogue import Catalogue

_RETRYABLE = frozenset({State.FAILED, State.TIMED_OUT, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is remembered of a retry: the new run, and what it took over."""

    run_id: str
    kept: Kept = field(default_factory=Kept)


class Retrying:
    """Makes new runs of ended ones."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        submitting: Submitting,
        leavings: Leavings,
        submission: Callable[[RunState, bool], Submission],
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._submitting = submitting
        self._leavings = leavings
        self._submission = submission

    async def retry(self, scope: Scope, run_id: str, order: RetryOrder, kind: RunKind | None = None) -> Retried:
        """The new run, committed; the earlier one when `order.request` was sent before.

        Raises RunNotFound, RunNotRetryable, InvalidField, UnknownDataset, UnknownResource, UnknownRun, ServerDraining,
        DiskFull.
        """
        origin = await self._store.run(run_id)
        if Scope(origin.tenant_id, origin.project_id) != scope or kind not in (None, origin.kind):
            raise RunNotFound
        if (known := await self._answered(order.request)) is not None:  # what it was made of may have gone since
            return self._retried(origin, await self._store.run(known.run_id), known.kept, repeated=True)
        if origin.state not in _RETRYABLE:
            raise RunNotRetryable(
                f"The run is {origin.state}; only one that failed, timed out or was cancelled can be retried."
            )
        prepared = await self._submitting.prepare(_again(origin, order, await self._completed(origin)))
        return await self._begin(origin, prepared, order)

    async def _answered(self, request: RequestId | None) -> "_Answer | None":
        known = await self._store.read(lambda db: remembered(db, request)) if request else None
        return _answer(known) if known is not None else None

    def _retried(self, origin: RunState, run: RunState, kept: Kept, *, repeated: bool) -> Retried:
        first = next((phase.name for phase in run.phases if phase.name not in kept.phases), None)
        return Retried(self._submission(run, repeated), origin, kept.phases, kept.records, kept.percent, first)

    async def _begin(self, origin: RunState, prepared: Prepared, order: RetryOrder) -> Retried:
        files, phases = self._store.files, prepared.spec.phases
        new_id, kept = self._submitting.new_id(prepared.new), Kept()
        source, folder, parameters = files.run(origin.run_id), files.run(new_id), dict(prepared.new.parameters)
        from_inputs = await self._store.read(partial(self._origin_of, prepared)) if order.take_over else ""

        def take_over() -> None:
            nonlocal kept
            if order.take_over:
                taking_over.link(source, folder, phases)
                kept = taking_over.foresee(folder, phases, parameters, from_inputs)

        def write(tx: Transaction) -> tuple[RunState, Kept]:
            return self._write(tx, _Answer(new_id, kept), origin, prepared, order)

        run, kept = await self._store.keep(take_over, write, partial(files.drop_run, new_id))
        if repeated := run.run_id != new_id:  # the same request was quicker
            await asyncio.to_thread(files.drop_run, new_id)
        elif not order.keep_original:
            self._leavings.remove(origin.run_id)
        return self._retried(origin, run, kept, repeated=repeated)

    def _write(
        self, tx: Transaction, answer: "_Answer", origin: RunState, prepared: Prepared, order: RetryOrder
    ) -> tuple[RunState, Kept]:
        request, now = order.request, self._submitting.now()
        if request and (known := remembered(tx.connection, request)) is not None:
            earlier = _answer(known)
            return current(tx, earlier.run_id), earlier.kept
        query = "SELECT count(*) FROM retries WHERE origin = ?"
        times = tx.connection.execute(query, (origin.run_id,)).fetchone()[0]
        run = self._submitting.begin(tx, answer.run_id, prepared.numbered(origin.retry_number + times + 1), now)
        if request:
            remember(tx, request, dump(answer), now)
        if not order.keep_original:
            doom(tx, origin.run_id)
        return run, answer.kept

    def _origin_of(self, prepared: Prepared, connection: sqlite3.Connection) -> str:
        files = self._store.files
        found = inputs.find(connection, files, asked(prepared.new, prepared.spec))
        sources = inputs.sources(connection, files, found.runs, prepared.new.dependencies)
        others, dataset = found.prints(sources), found.dataset
        if dataset is None:
            return checkpoint.origin("", "", {}, others)
        return checkpoint.origin(dataset.sha256, dataset.format, dataset.mapping, others)

    async def _completed(self, run: RunState) -> tuple[str, ...]:
        needs = [await self._store.run(needed) for needed in run.dependencies]
        return tuple(need.run_id for need in needs if need.state is State.COMPLETED)


def _answer(known: bytes) -> _Answer:
    plain = orjson.loads(known)
    return _Answer(plain) if isinstance(plain, str) else load(_Answer, known)  # the id alone: of an earlier server


def _again(origin: RunState, order: RetryOrder, dependencies: tuple[str, ...]) -> NewRun:
    parameters = merged(origin.parameters, order.parameters or {})
    extras = {**origin.extras, **({"retryReason": order.reason} if order.reason else {})}
    if order.policy is not None:
        extras["retryPolicy"] = dict(order.policy)
    extras.pop("immediateExecution", None)
    if order.front:
        extras["immediateExecution"] = True
    return NewRun(
        scope=Scope(origin.tenant_id, origin.project_id),
        kind=origin.kind,
        type=origin.type,
        name=origin.name,
        description=origin.description,
        priority=order.priority or origin.priority,
        submitted_by=order.by,
        parameters=parameters,
        resource=origin.resource,
        timeout_s=order.timeout_s or origin.timeout_s,
        extras=extras,
        dependencies=dependencies,
        origin=origin,
        resources=allocation.doubled_memory(origin.resources) if order.double_memory else None,
    )
