"""From a request to a durable run: checks before the transaction, everything else inside it.

Retries and batches begin their runs here too, in transactions of their own making.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from lodestream.errors import (
    DependencyProblem,
    InvalidField,
    LodestreamError,
    RunNotFound,
    ServerDraining,
    Violation,
)
from lodestream_server.engine import estimates, inputs, intake
from lodestream_server.engine.allocation import MachineSize
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.history import History
from lodestream_server.engine.ids import Ids, run_prefix
from lodestream_server.engine.inputs import Asked
from lodestream_server.engine.merging import merged
from lodestream_server.engine.models import NewRun
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store import uses
from lodestream_server.store.appending import Fact, begin, current
from lodestream_server.store.quotas import NO_QUOTAS, Quotas, room_for_a_run
from lodestream_server.store.reading import Past, Scope
from lodestream_server.store.requests import RequestId, remember, remembered
from lodestream_server.store.resources import MODEL, NOTEBOOK, PIPELINE
from lodestream_server.store.store import Store
from lodestream_server.store.writer import Transaction
from lodestream_server.workloads.catalogue import Catalogue, WorkloadSpec

#: Soon enough for a client, late enough for a restart.
_COME_BACK_S = 5.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that was checked, and what is needed to begin it."""

    new: NewRun
    spec: WorkloadSpec
    history: Sequence[Past]

    def numbered(self, retry_number: int) -> "Prepared":
        """The same, as the how manieth retry it is."""
        return replace(self, new=replace(self.new, retry_number=retry_number))


class Submitting:
    """Begins runs."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        history: History,
        machine: MachineSize,
        clock: Clock,
        ids: Ids,
        quotas: Quotas = NO_QUOTAS,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._history = history
        self._machine = machine
        self._clock = clock
        self._ids = ids
        self._quotas = quotas
        #: Nothing new is taken any more.
        self.draining = False

    async def submit(self, new: NewRun) -> tuple[RunState, bool]:
        """The run, and whether it was there already. Raises as `Engine.submit`."""
        try:
            prepared = await self.prepare(new)
        except LodestreamError:
            # The first send passed; what it referred to may have gone since, and the effect is there all the same.
            if (known := await self.answered(new.request)) is None:
                raise
            return await self._store.run(known), True
        now, run_id = self._clock.now(), self.new_id(new)

        def job(tx: Transaction) -> tuple[RunState, bool]:
            if new.request and (known := remembered(tx.connection, new.request)) is not None:
                return current(tx, orjson.loads(known)), True
            run = self.begin(tx, run_id, prepared, now)
            if new.request:
                remember(tx, new.request, orjson.dumps(run_id), now)
            return run, False

        return await self._store.write(job)

    async def answered(self, request: RequestId | None) -> str | None:
        """The run or batch that an earlier send gave; None when there was none. Raises IdempotencyKeyReused."""
        if request is None:
            return None
        known = await self._store.read(lambda db: remembered(db, request))
        return None if known is None else str(orjson.loads(known))

    async def prepare(self, new: NewRun) -> Prepared:
        """Checks what can be checked before the transaction. Raises InvalidField, UnknownResource, NotBuilt,
        ServerDraining."""
        if self.draining:
            raise ServerDraining(retry_after_s=_COME_BACK_S)
        spec = self._catalogue.find(new.kind, new.type)
        new = await self._referred(new)
        intake.check(new, spec)
        return Prepared(new, spec, await self._history.of(new.scope.tenant_id, new.type))

    async def _referred(self, new: NewRun) -> NewRun:
        """The same with the name of its resource, and with what its pipeline says under its parameters."""
        its = new.resource
        if its is None or its.type not in (PIPELINE, NOTEBOOK, MODEL) or new.origin:  # a retry has all of it already
            return new
        found = await self._store.read(lambda db: inputs.resource_named(db, new.scope, its))
        if found.job_type not in ("", new.type):
            fault = f"the pipeline {found.name} is for jobs of the type {found.job_type}, not {new.type}"
            raise InvalidField.of(Violation(inputs.RESOURCE, fault))
        parameters = merged(found.parameters, new.parameters)
        return replace(new, resource=replace(its, name=found.name), parameters=parameters)

    def now(self) -> datetime:
        """The engine's time."""
        return self._clock.now()

    def new_id(self, new: NewRun) -> str:
        """An id for it, with the documented prefix."""
        retries = "retry-" if new.origin else ""
        prefix = run_prefix(new.kind)
        return self._ids.new(self._clock.now(), f"{prefix}{retries}" if prefix else "")

    def begin(self, tx: Transaction, run_id: str, prepared: Prepared, now: datetime) -> RunState:
        """Writes the run with its first events. Raises QuotaExceeded, UnknownDataset, UnknownResource, UnknownRun,
        DependencyProblem."""
        new = prepared.new
        room_for_a_run(tx.connection, new.scope.tenant_id, self._quotas)
        found = inputs.find(tx.connection, self._store.files, asked(new, prepared.spec))
        dataset = found.dataset
        self._check_dependencies(tx, new)
        estimate = estimates.duration(prepared.history, dataset.size_bytes if dataset else None)
        bodies = intake.first_bodies(new, prepared.spec, dataset, self._machine, estimate, now)
        run = begin(tx, run_id, [Fact(body, now) for body in bodies])
        rows = [(run_id, needed) for needed in dict.fromkeys(new.dependencies)]
        tx.connection.executemany("INSERT INTO dependencies VALUES (?, ?)", rows)
        uses.note(tx, run_id, found.used())
        if new.origin:
            tx.connection.execute("INSERT INTO retries VALUES (?, ?)", (new.origin.run_id, run_id))
        return run

    def _check_dependencies(self, tx: Transaction, new: NewRun) -> None:
        found = []
        for index, needed in enumerate(new.dependencies):
            if fault := self._fault(tx, new, needed):
                found.append(Violation(f"dependencies[{index}]", fault))
        if found:
            raise DependencyProblem(f"{found[0].field}: {found[0].description}", violations=found)

    def _fault(self, tx: Transaction, new: NewRun, needed: str) -> str:
        try:
            run = current(tx, needed)
        except RunNotFound:
            return f"there is no run {needed} in this project"
        if Scope(run.tenant_id, run.project_id) != new.scope:
            return f"there is no run {needed} in this project"
        if run.has_ended and run.state is not State.COMPLETED:
            return f"the run {needed} has ended as {run.state}; nothing can wait for it"
        if run.has_ended and not new.origin and not inputs.has_files(tx.connection, self._store.files, needed):
            return f"the files of the run {needed} are no longer kept; nothing can build on them"
        return ""


def asked(new: NewRun, spec: WorkloadSpec) -> Asked:
    """What the run says of its inputs."""
    dataset_id = intake.dataset_id(new)
    return Asked(new.scope, tuple(spec.parameters), new.parameters, dataset_id, new.resource, new.dependencies)
