"""From a run to the order for its worker: phases from the catalogue, inputs from the store, folder from the files."""

import sqlite3
from functools import partial

from lodestream.errors import InvalidField, NotBuilt, UnknownDataset, UnknownResource, UnknownRun
from lodestream_server.engine import inputs
from lodestream_server.engine.inputs import Asked, Inputs
from lodestream_server.executors.port import Assignment, PhaseOrder
from lodestream_server.runs.state import RunState
from lodestream_server.store.reading import Scope
from lodestream_server.store.store import Store
from lodestream_server.workloads.catalogue import Catalogue, WorkloadSpec
from lodestream_server.workloads.phase import EarlierRun


class Unassignable(Exception):
    """No worker can be given the run; `reason` as in `lodestream.errors`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Assignments:
    """Makes orders for workers."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue

    async def of(self, run: RunState) -> Assignment:
        """The order. Raises Unassignable when the type or an input has gone since the run was submitted."""
        try:
            spec = self._catalogue.find(run.kind, run.type)
            found, sources = await self._store.read(partial(self._gather, run, spec))
        except (InvalidField, NotBuilt, UnknownDataset, UnknownResource, UnknownRun) as fault:
            raise Unassignable(fault.reason, fault.message) from fault
        files = self._store.files
        return Assignment(
            run_id=run.run_id,
            epoch=run.epoch + 1,
            run_name=run.name,
            parameters=run.parameters,
            phases=tuple(
                PhaseOrder(phase.name, phase.function, phase.version, phase.component, phase.name in run.finished)
                for phase in spec.phases
            ),
            folder=files.run(run.run_id),
            memory_bytes=run.resources.memory_bytes,
            dataset=inputs.dataset_file(files, found.dataset) if found.dataset else None,
            dataset_sha256=found.dataset.sha256 if found.dataset else "",
            datasets=tuple(inputs.dataset_file(files, one) for one in found.datasets),
            resources=tuple(inputs.resource_file(files, one) for one in found.resources),
            sources=sources,
            inputs=found.prints(sources),
        )

    def _gather(
        self, run: RunState, spec: WorkloadSpec, connection: sqlite3.Connection
    ) -> tuple[Inputs, tuple[EarlierRun, ...]]:
        scope = Scope(run.tenant_id, run.project_id)
        asked = Asked(scope, tuple(spec.parameters), run.parameters, run.dataset_id, run.resource)
        found = inputs.find(connection, self._store.files, asked)
        return found, inputs.sources(connection, self._store.files, found.runs, run.dependencies)
