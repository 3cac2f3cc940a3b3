"""Resources: pipelines, notebooks and process models, registered once and referred to by jobs.

A resource exists once its record is committed; a file without one is swept away at the next start.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import orjson

from lodestream.errors import InvalidField, ResourceNotFound, Violation
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.ids import Ids
from lodestream_server.engine.intake import LARGEST_PARAMETERS
from lodestream_server.engine.resource_files import model_fault, notebook_fault
from lodestream_server.runs.states import RunKind
from lodestream_server.store.paging import Page, PageRequest
from lodestream_server.store.quotas import NO_QUOTAS, Quotas, room_for_bytes
from lodestream_server.store.reading import Scope
from lodestream_server.store.resources import (
    MODEL,
    NOTEBOOK,
    PIPELINE,
    Resource,
    add_resource,
    find_resource,
    page_of_resources,
    remove_resource,
)
from lodestream_server.store.store import Store
from lodestream_server.store.writer import Transaction
from lodestream_server.workloads.catalogue import Catalogue
from lodestream_server.workloads.parameters import violations

#: Documented: a notebook with many pictures is larger; they can be left out.
_LARGEST: Final = 4 * 1024 * 1024
_FAULTS: Final = {NOTEBOOK: notebook_fault, MODEL: model_fault}


@dataclass(frozen=True, slots=True)
class NewResource:
    """A resource to be. A pipeline has `job_type` (none: for every type) and `parameters`, the others `content`."""

    scope: Scope
    type: str
    name: str
    description: str = ""
    job_type: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    content: bytes = b""
    created_by: str = ""


class Resources:
    """The resources of one store."""

    def __init__(self, store: Store, catalogue: Catalogue, clock: Clock, ids: Ids, quotas: Quotas = NO_QUOTAS) -> None:
        self._store = store
        self._quotas = quotas
        self._catalogue = catalogue
        self._clock = clock
        self._ids = ids

    async def register(self, new: NewResource) -> Resource:
        """The stored resource. Raises InvalidField, NotBuilt, QuotaExceeded, DiskFull; then nothing is kept."""
        found = _pipeline_faults(new, self._catalogue) if new.type == PIPELINE else _file_faults(new)
        if not new.name.strip():
            found.append(Violation("resource_name", "is required"))
        if found:
            raise InvalidField.of(*found)
        now = self._clock.now()
        resource = Resource(
            resource_id=self._ids.new(now),
            tenant_id=new.scope.tenant_id,
            project_id=new.scope.project_id,
            type=new.type,
            name=new.name,
            created=now,
            created_by=new.created_by,
            description=new.description,
            job_type=new.job_type,
            parameters=new.parameters,
            size_bytes=len(new.content),
            sha256=hashlib.sha256(new.content or orjson.dumps(new.parameters)).hexdigest(),
        )
        files = self._store.files
        return await self._store.keep(
            partial(files.keep_resource, resource.resource_id, new.content) if new.content else _nothing,
            lambda tx: self._add(tx, resource),
            partial(files.drop_resource, resource.resource_id),
        )

    def _add(self, tx: Transaction, resource: Resource) -> Resource:
        room_for_bytes(tx.connection, resource.tenant_id, resource.size_bytes, self._quotas)
        return add_resource(tx, resource)

    async def get(self, scope: Scope, resource_id: str) -> Resource:
        """The resource. Raises ResourceNotFound."""
        found = await self._store.read(lambda db: find_resource(db, scope, resource_id))
        if found is None:
            raise ResourceNotFound
        return found

    async def list(self, scope: Scope, page: PageRequest, type_: str = "") -> Page[Resource]:
        """A page, newest first; of one type where it is named."""
        return await self._store.read(lambda db: page_of_resources(db, scope, page, type_))

    async def delete(self, scope: Scope, resource_id: str) -> Resource:
        """Forgets the resource and its file. Raises ResourceNotFound, ResourceInUse."""
        resource = await self._store.write(lambda tx: remove_resource(tx, scope, resource_id))
        self._store.files.drop_resource(resource_id)
        return resource


def _nothing() -> None:
    """A pipeline has no file."""


def _pipeline_faults(new: NewResource, catalogue: Catalogue) -> list[Violation]:
    found = [Violation("content", "belongs to notebooks and models, not to pipelines")] if new.content else []
    if len(orjson.dumps(new.parameters)) > LARGEST_PARAMETERS:
        found.append(Violation("parameters", f"must not exceed {LARGEST_PARAMETERS} bytes as JSON"))
    if new.job_type:
        spec = catalogue.find(RunKind.JOB, new.job_type)
        # Jobs give what is missing.
        found += [one for one in violations(spec.parameters, new.parameters) if one.description != "is required"]
    return found


def _file_faults(new: NewResource) -> list[Violation]:
    found = []
    if new.job_type:
        found.append(Violation("job_type", "belongs to pipelines"))
    if new.parameters:
        found.append(Violation("parameters", "belong to pipelines"))
    if new.type not in _FAULTS:
        found.append(Violation("resource_type", f"must be one of {PIPELINE}, {NOTEBOOK}, {MODEL}"))
    elif not new.content:
        found.append(Violation("content", f"is required: the file of the {new.type.lower()}"))
    elif len(new.content) > _LARGEST:
        found.append(Violation("content", f"must not exceed {_LARGEST} bytes; clear the outputs of a notebook"))
    elif fault := _FAULTS[new.type](new.content):
        found.append(Violation("content", fault))
    return found
