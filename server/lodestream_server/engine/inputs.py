"""What a run works on: its dataset, and the datasets, resources and completed runs that it refers to or depends on.

Looked up by the same rules when it is submitted (then what is missing refuses it), when it is handed to a worker, and
when a retry is to know which finished phases still fit. Queries over one connection.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lodestream.errors import UnknownDataset, UnknownResource, UnknownRun, Violation
from lodestream_server.runs.bodies import Json, PhaseCompleted, ResourceRef
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store import uses
from lodestream_server.store.doomed import is_doomed
from lodestream_server.store.files import Files
from lodestream_server.store.reading import Scope, one, results_of
from lodestream_server.store.records import Dataset, find_dataset
from lodestream_server.store.resources import MODEL, NOTEBOOK, Resource, find_resource
from lodestream_server.worker import checkpoint
from lodestream_server.workloads.parameters import Parameter, Reference, references
from lodestream_server.workloads.phase import DatasetFile, EarlierRun, Finished, ResourceFile

#: The parameter that names the dataset of a run.
_OWN: Final = "parameters.datasetId"
#: The field that names what a job runs.
RESOURCE: Final = "resource.resource_id"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was found. `datasets` are those beside the run's own; `runs` are named by parameters, in their order."""

    dataset: Dataset | None = None
    datasets: tuple[Dataset, ...] = ()
    resources: tuple[Resource, ...] = ()
    runs: tuple[str, ...] = ()

    def used(self) -> Iterator[tuple[uses.Kind, str]]:
        """For the store to hold; the run's own dataset and its dependencies are held already."""
        yield from (("dataset", one.dataset_id) for one in self.datasets)
        yield from (("resource", one.resource_id) for one in self.resources)
        yield from (("run", one) for one in self.runs)

    def prints(self, sources: Iterable[EarlierRun]) -> tuple[str, ...]:
        """A fingerprint for everything but the run's own dataset. Completed runs never change: the id says it all."""
        return (
            *(
                checkpoint.fingerprint([one.dataset_id, checkpoint.origin(one.sha256, one.format, one.mapping)])
                for one in self.datasets
            ),
            *(checkpoint.fingerprint([one.resource_id, one.sha256]) for one in self.resources),
            *(checkpoint.fingerprint(one.run_id) for one in sources),
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run says of its inputs. `awaited`: runs that it waits for, so they need not have completed yet."""

    scope: Scope
    declared: tuple[Parameter, ...]
    parameters: Mapping[str, Any]
    dataset_id: str | None = None
    resource: ResourceRef | None = None
    awaited: Collection[str] = ()


def find(connection: sqlite3.Connection, files: Files, asked: Asked) -> Inputs:
    """The inputs. Raises UnknownDataset, UnknownResource, and UnknownRun for a run that is not there, has not completed
    or lost its files; each names the field."""
    dataset = _dataset(connection, asked.scope, _OWN, asked.dataset_id) if asked.dataset_id else None
    datasets, resources, runs = dict[str, Dataset](), dict[str, Resource](), dict[str, None]()
    if asked.resource is not None and asked.resource.type in (NOTEBOOK, MODEL):
        its = asked.resource
        resources[its.id] = resource_named(connection, asked.scope, its)
    for named in references(asked.declared, asked.parameters):
        match named.kind:
            case "dataset" if named.id != asked.dataset_id:
                datasets[named.id] = _dataset(connection, asked.scope, named.path, named.id)
            case "resource":
                resources[named.id] = _resource(connection, asked.scope, named.path, named.id, named.of)
            case "run":
                _check_run(connection, files, asked, named)
                runs[named.id] = None
    return Inputs(dataset, tuple(datasets.values()), tuple(resources.values()), tuple(runs))


def sources(
    connection: sqlite3.Connection, files: Files, named: Iterable[str], dependencies: Iterable[str]
) -> tuple[EarlierRun, ...]:
    """The runs named, those the run depends on, then what those depended on, breadth first; each once. Only completed
    ones."""
    found, waiting, seen = list[EarlierRun](), [*named, *dependencies], set[str]()
    follow = set(dependencies)
    while waiting:
        run_id = waiting.pop(0)
        run = None if run_id in seen else one(connection, run_id)
        seen.add(run_id)
        if run is None or run.state is not State.COMPLETED:
            continue
        found.append(_earlier(connection, files, run))
        if run_id in follow:
            follow.update(run.dependencies)
            waiting += run.dependencies
    return tuple(found)


def dataset_file(files: Files, dataset: Dataset) -> DatasetFile:
    """A dataset as a workload sees it."""
    return DatasetFile(
        dataset.dataset_id,
        dataset.name,
        files.dataset(dataset.dataset_id),
        dataset.format,  # type: ignore[arg-type]  # one of the four words since its upload
        dataset.size_bytes,
        dataset.mapping,
    )


def resource_file(files: Files, resource: Resource) -> ResourceFile:
    """A resource as a workload sees it."""
    return ResourceFile(
        resource.resource_id,
        resource.name,
        resource.type,  # type: ignore[arg-type]  # a notebook or a model; pipelines are no inputs
        files.resource(resource.resource_id),
    )


def _dataset(connection: sqlite3.Connection, scope: Scope, path: str, dataset_id: str) -> Dataset:
    found = find_dataset(connection, scope, dataset_id)
    if found is None:
        fault = f"there is no dataset {dataset_id} in this project."
        raise UnknownDataset(f"{path}: {fault}", violations=[Violation(path, fault)])
    return found


def resource_named(connection: sqlite3.Connection, scope: Scope, its: ResourceRef) -> Resource:
    """What `resource` of a job names. Raises UnknownResource."""
    return _resource(connection, scope, RESOURCE, its.id, its.type)


def _resource(connection: sqlite3.Connection, scope: Scope, path: str, resource_id: str, type_: str = "") -> Resource:
    found = find_resource(connection, scope, resource_id)
    if found is None or found.type not in (type_, *(() if type_ else (NOTEBOOK, MODEL))):
        kind = type_.lower() or "notebook or model"
        fault = f"there is no {kind} {resource_id} in this project; register it first."
        raise UnknownResource(f"{path}: {fault}", violations=[Violation(path, fault)])
    return found


def has_files(connection: sqlite3.Connection, files: Files, run_id: str) -> bool:
    """Whether what the phases of a completed run left is still kept."""
    return not is_doomed(connection, run_id) and files.phases(run_id).is_dir()


def _check_run(connection: sqlite3.Connection, files: Files, asked: Asked, named: Reference) -> None:
    run, fault = one(connection, named.id), ""
    if run is None or Scope(run.tenant_id, run.project_id) != asked.scope:
        fault = f"there is no run {named.id} in this project"
    elif run.state is not State.COMPLETED:
        if named.id not in asked.awaited:
            fault = f"the run {named.id} has not completed, it is {run.state}; name one that has"
    elif not has_files(connection, files, named.id):
        fault = f"the files of the run {named.id} are no longer kept; run it again and name the new one"
    if fault:
        raise UnknownRun(f"{named.path}: {fault}.", violations=[Violation(named.path, f"{fault}.")])


def _earlier(connection: sqlite3.Connection, files: Files, run: RunState) -> EarlierRun:
    said = (event.body for event in results_of(connection, run.run_id))
    results = {body.phase: body.results for body in said if isinstance(body, PhaseCompleted)}
    folder = files.phases(run.run_id)
    return EarlierRun(
        run_id=run.run_id,
        kind=run.kind.value,
        type=run.type,
        name=run.name,
        parameters=run.parameters,
        phases=tuple(_finished(folder, phase.order, phase.name, results) for phase in run.phases),
        started=run.started,
        ended=run.ended,
    )


def _finished(folder: Path, order: int, name: str, results: Mapping[str, Json]) -> Finished:
    return Finished(name, results.get(name, {}), folder / checkpoint.folder_name(order, name))
