"""Resources: pipelines, notebooks and process models, registered once and named by jobs."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lodestream.client import arguments
from lodestream.client.calls import Caller
from lodestream.client.paging import Listing
from lodestream.v1.common_pb2 import JobType
from lodestream.v1.job_pb2 import JobResource
from lodestream.v1.resource_pb2 import (
    DeleteResourceRequest,
    GetResourceRequest,
    ListResourcesRequest,
    ListResourcesResponse,
    RegisterResourceRequest,
    Resource,
    ResourceType,
)
from lodestream.v1.resource_pb2_grpc import ResourceServiceStub
from lodestream.wire import words


class ResourceCalls:
    """The part of a client that deals with resources."""

    _caller: Caller

    async def register_pipeline(
        self,
        name: str,
        *,
        job_type: str | int | None = None,
        parameters: Mapping[str, Any] | None = None,
        description: str = "",
    ) -> Resource:
        """Registers default parameters for jobs of a type ("ProcessMining"; every type when left out).

        Raises InvalidField for parameters that do not fit the type.
        """
        given = {"job_type": arguments.number_of(JobType.DESCRIPTOR, job_type, "job_type")} if job_type else {}
        return await self._register("Pipeline", name, description, parameters=arguments.struct(parameters), **given)

    async def register_file(
        self, source: str | os.PathLike[str], *, type: str = "", name: str = "", description: str = ""
    ) -> Resource:
        """Registers a notebook (.ipynb) or a process model (.pnml, .bpmn); `type` is "Notebook" or "Model" where the
        file's ending does not say it.

        Raises OSError for a path that cannot be read, InvalidField with what is wrong with the file.
        """
        path = Path(source)
        content = await asyncio.to_thread(path.read_bytes)
        kind = type or ("Notebook" if path.suffix.lower() == ".ipynb" else "Model")
        return await self._register(kind, name or path.name, description, content=content)

    def resources(
        self, *, type: str | int | None = None, page_size: int = 0
    ) -> Listing[ListResourcesResponse, Resource]:
        """Resources of the project, newest first; of one type where it is named."""
        wanted = arguments.number_of(ResourceType.DESCRIPTOR, type, "resource_type")

        async def fetch(token: str) -> ListResourcesResponse:
            scope = self._caller.settings
            page = arguments.given(page_token=token, page_size=page_size, resource_type=wanted)
            request = ListResourcesRequest(tenant_id=scope.tenant_id, project_id=scope.project_id, **page)
            return await self._caller.call(self._caller.stub(ResourceServiceStub).ListResources, request)

        return Listing(fetch, lambda page: page.resources, lambda page: page.next_page_token)

    async def resource(self, resource_id: str) -> Resource:
        """One resource. Raises ResourceNotFound."""
        return await _found(self._caller, resource_id)

    async def delete_resource(self, resource_id: str) -> None:
        """Deletes a resource and its file. Raises ResourceNotFound, ResourceInUse."""
        scope = self._caller.settings
        request = DeleteResourceRequest(tenant_id=scope.tenant_id, project_id=scope.project_id, resource_id=resource_id)
        # Not sent twice: the second would find nothing.
        await self._caller.call(self._caller.stub(ResourceServiceStub).DeleteResource, request, repeatable=False)

    async def _register(self, kind: str, name: str, description: str, **fields: Any) -> Resource:
        request = RegisterResourceRequest(
            tenant_id=self._caller.settings.tenant_id,
            project_id=self._caller.settings.project_id,
            resource_name=name,
            **arguments.given(
                resource_type=arguments.number_of(ResourceType.DESCRIPTOR, kind, "resource_type"),
                resource_description=description,
            ),
            **fields,
        )
        # Not sent twice: the second would register a second one.
        method = self._caller.stub(ResourceServiceStub).RegisterResource
        return (await self._caller.call(method, request, repeatable=False)).resource


async def named_by_job(caller: Caller, resource: str | Resource) -> JobResource:
    """What a job says of its resource. An id alone does not tell the type: the server is asked. Raises
    ResourceNotFound."""
    found = await _found(caller, resource) if isinstance(resource, str) else resource
    type_word = words(ResourceType.DESCRIPTOR, "en")[found.resource_type]
    return JobResource(resource_type=type_word, resource_id=found.resource_id)


async def _found(caller: Caller, resource_id: str) -> Resource:
    scope = caller.settings
    request = GetResourceRequest(tenant_id=scope.tenant_id, project_id=scope.project_id, resource_id=resource_id)
    return (await caller.call(caller.stub(ResourceServiceStub).GetResource, request)).resource
