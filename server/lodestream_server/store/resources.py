"""Resources as the store keeps them: pipelines, notebooks and process models that jobs refer to."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lodestream.errors import ResourceInUse, ResourceNotFound
from lodestream_server.runs.codec import dump, load
from lodestream_server.store import uses
from lodestream_server.store.paging import Page, PageRequest, place, token
from lodestream_server.store.reading import Scope
from lodestream_server.store.times import to_us
from lodestream_server.store.writer import Transaction

#: Default parameters of a type of job; it has no file, the others have nothing but one.
PIPELINE = "Pipeline"
NOTEBOOK = "Notebook"
MODEL = "Model"


@dataclass(frozen=True, slots=True)
class Resource:
    """A registered resource; `type` is Pipeline, Notebook or Model."""

    resource_id: str
    tenant_id: str
    project_id: str
    type: str
    name: str
    created: datetime
    created_by: str = ""
    description: str = ""
    job_type: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    size_bytes: int = 0
    sha256: str = ""


def add_resource(tx: Transaction, resource: Resource) -> Resource:
    """Writes a new resource."""
    tx.connection.execute(
        "INSERT INTO resources (resource, tenant, project, type, created, record) VALUES (?, ?, ?, ?, ?, ?)",
        (
            resource.resource_id,
            resource.tenant_id,
            resource.project_id,
            resource.type,
            to_us(resource.created),
            dump(resource),
        ),
    )
    return resource


def remove_resource(tx: Transaction, scope: Scope, resource_id: str) -> Resource:
    """Forgets a resource. Raises ResourceNotFound; ResourceInUse while a run that works on it has not ended."""
    resource = find_resource(tx.connection, scope, resource_id)
    if resource is None:
        raise ResourceNotFound
    if (run_id := uses.user(tx.connection, "resource", resource_id)) is not None:
        raise ResourceInUse(details={"runId": run_id})
    tx.connection.execute("DELETE FROM resources WHERE resource = ?", (resource_id,))
    return resource


def find_resource(connection: sqlite3.Connection, scope: Scope, resource_id: str) -> Resource | None:
    """The resource, if it is in the project."""
    query = "SELECT record FROM resources WHERE resource = ? AND tenant = ? AND project = ?"
    row = connection.execute(query, (resource_id, scope.tenant_id, scope.project_id)).fetchone()
    return load(Resource, row[0]) if row else None


def page_of_resources(
    connection: sqlite3.Connection, scope: Scope, request: PageRequest, type_: str = ""
) -> Page[Resource]:
    """A page, newest first; of one type only where that is named. Raises what `paging.place` raises."""
    list_id = repr(("resources", scope, type_))
    begin = place(request, list_id)
    seen = "" if begin.before is None else " AND (created, number) < (?, ?)"
    only = " AND type = ?" if type_ else ""
    found = connection.execute(
        f"SELECT created, number, record FROM resources WHERE tenant = ? AND project = ?{only}{seen}"
        " ORDER BY created DESC, number DESC LIMIT ? OFFSET ?",
        (
            scope.tenant_id,
            scope.project_id,
            *([type_] if type_ else ()),
            *(begin.before or ()),
            request.page_size + 1,
            begin.skip,
        ),
    ).fetchall()
    rows = found[: request.page_size]
    after = token(rows[-1][:2], list_id) if len(found) > len(rows) else None
    return Page(tuple(load(Resource, row[2]) for row in rows), after)


def resource_ids(connection: sqlite3.Connection) -> set[str]:
    """Every stored resource, for finding files that belong to none."""
    return {row[0] for row in connection.execute("SELECT resource FROM resources")}
