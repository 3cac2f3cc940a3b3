"""Datasets and artifacts as the store keeps them, and the jobs and queries over their tables."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lodestream.errors import DatasetInUse, DatasetNotFound
from lodestream_server.runs.bodies import ArtifactStored
from lodestream_server.runs.codec import dump, load
from lodestream_server.store import uses
from lodestream_server.store.paging import Page, PageRequest, place, token
from lodestream_server.store.reading import Scope
from lodestream_server.store.times import to_us
from lodestream_server.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class Dataset:
    """A stored event log. `mapping` is what was given at upload over what was detected; `description` what
    describing it found."""

    dataset_id: str
    tenant_id: str
    project_id: str
    name: str
    file_name: str
    format: str
    size_bytes: int
    sha256: str
    created: datetime
    created_by: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    description: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a run published; `path` is relative to the run's folder."""

    artifact_id: str
    run_id: str
    tenant_id: str
    project_id: str
    phase: str
    name: str
    type: str
    path: str
    size_bytes: int
    sha256: str
    created: datetime
    kind: str = ""
    format: str = ""
    description: str = ""
    records: int | None = None


def add_dataset(tx: Transaction, dataset: Dataset) -> Dataset:
    """Writes a new dataset."""
    tx.connection.execute(
        "INSERT INTO datasets (dataset, tenant, project, created, record) VALUES (?, ?, ?, ?, ?)",
        (dataset.dataset_id, dataset.tenant_id, dataset.project_id, to_us(dataset.created), dump(dataset)),
    )
    return dataset


def remove_dataset(tx: Transaction, scope: Scope, dataset_id: str) -> Dataset:
    """Forgets a dataset. Raises DatasetNotFound; DatasetInUse while a run that names it has not ended."""
    dataset = find_dataset(tx.connection, scope, dataset_id)
    if dataset is None:
        raise DatasetNotFound
    query = "SELECT run FROM runs WHERE dataset = ? AND ended IS NULL LIMIT 1"
    row = tx.connection.execute(query, (dataset_id,)).fetchone()
    run_id = row[0] if row else uses.user(tx.connection, "dataset", dataset_id)
    if run_id is not None:
        raise DatasetInUse(details={"runId": run_id})
    tx.connection.execute("DELETE FROM datasets WHERE dataset = ?", (dataset_id,))
    return dataset


def find_dataset(connection: sqlite3.Connection, scope: Scope, dataset_id: str) -> Dataset | None:
    """The dataset, if it is in the project."""
    query = "SELECT record FROM datasets WHERE dataset = ? AND tenant = ? AND project = ?"
    row = connection.execute(query, (dataset_id, scope.tenant_id, scope.project_id)).fetchone()
    return load(Dataset, row[0]) if row else None


def page_of_datasets(connection: sqlite3.Connection, scope: Scope, request: PageRequest) -> Page[Dataset]:
    """A page, newest first. Raises what `paging.place` raises."""
    list_id = repr(("datasets", scope))
    begin = place(request, list_id)
    seen = "" if begin.before is None else " AND (created, number) < (?, ?)"
    found = connection.execute(
        f"SELECT created, number, record FROM datasets WHERE tenant = ? AND project = ?{seen}"
        " ORDER BY created DESC, number DESC LIMIT ? OFFSET ?",
        (scope.tenant_id, scope.project_id, *(begin.before or ()), request.page_size + 1, begin.skip),
    ).fetchall()
    rows = found[: request.page_size]
    after = token(rows[-1][:2], list_id) if len(found) > len(rows) else None
    return Page(tuple(load(Dataset, row[2]) for row in rows), after)


def dataset_ids(connection: sqlite3.Connection) -> set[str]:
    """Every stored dataset, for finding folders that belong to none."""
    return {row[0] for row in connection.execute("SELECT dataset FROM datasets")}


def add_artifact(tx: Transaction, scope: Scope, run_id: str, stored: ArtifactStored, created: datetime) -> None:
    """Makes the file of an ArtifactStored event known by its id; in the transaction of the event."""
    names = ("artifact_id", "phase", "name", "type", "path", "size_bytes", "sha256", "kind", "format", "description")
    artifact = Artifact(
        run_id=run_id,
        tenant_id=scope.tenant_id,
        project_id=scope.project_id,
        created=created,
        records=stored.records,
        **{name: getattr(stored, name) for name in names},
    )
    tx.connection.execute(
        "INSERT OR REPLACE INTO artifacts (artifact, run, tenant, project, record) VALUES (?, ?, ?, ?, ?)",
        (artifact.artifact_id, run_id, scope.tenant_id, scope.project_id, dump(artifact)),
    )


def find_artifact(connection: sqlite3.Connection, scope: Scope, artifact_id: str) -> Artifact | None:
    """The artifact, if it is in the project."""
    query = "SELECT record FROM artifacts WHERE artifact = ? AND tenant = ? AND project = ?"
    row = connection.execute(query, (artifact_id, scope.tenant_id, scope.project_id)).fetchone()
    return load(Artifact, row[0]) if row else None


def artifacts_of(connection: sqlite3.Connection, run_id: str) -> tuple[Artifact, ...]:
    """The artifacts of a run, in the order of their storing."""
    rows = connection.execute("SELECT record FROM artifacts WHERE run = ?", (run_id,))
    return tuple(
        sorted((load(Artifact, row[0]) for row in rows), key=lambda artifact: (artifact.created, artifact.path))
    )
