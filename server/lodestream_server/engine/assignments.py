"""From a run to the order for its worker: phases from the catalogue, dataset from the store, folder from the files."""

from lodestream.errors import InvalidField, NotBuilt, UnknownDataset
from lodestream_server.executors.port import Assignment, PhaseOrder
from lodestream_server.runs.state import RunState
from lodestream_server.store.reading import Scope
from lodestream_server.store.records import Dataset, find_dataset
from lodestream_server.store.store import Store
from lodestream_server.workloads.catalogue import Catalogue
from lodestream_server.workloads.phase import DatasetFile


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
        """The order. Raises Unassignable when the type or the dataset has gone since the run was submitted."""
        try:
            spec, dataset = self._catalogue.find(run.kind, run.type), await self.dataset_of(run)
        except (InvalidField, NotBuilt, UnknownDataset) as fault:
            raise Unassignable(fault.reason, fault.message) from fault
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

    async def dataset_of(self, run: RunState) -> Dataset | None:
        """The dataset that the run names. Raises UnknownDataset when it has gone."""
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
