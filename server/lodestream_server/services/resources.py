"""ResourceService: pipelines, notebooks and process models, registered, listed, shown, deleted."""

from typing import Any

from lodestream import wire
from lodestream.errors import InvalidField, Violation
from lodestream.v1 import common_pb2, resource_pb2, resource_pb2_grpc
from lodestream_server.engine.resources import NewResource, Resources
from lodestream_server.grpc_door import call
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.values import struct, timestamp
from lodestream_server.store.paging import PageRequest
from lodestream_server.store.resources import MODEL, NOTEBOOK, PIPELINE, Resource

_pb = resource_pb2
_TYPES = {
    PIPELINE: _pb.RESOURCE_TYPE_PIPELINE,
    NOTEBOOK: _pb.RESOURCE_TYPE_NOTEBOOK,
    MODEL: _pb.RESOURCE_TYPE_MODEL,
}
_NAMES = {number: name for name, number in _TYPES.items()}


class ResourceService(resource_pb2_grpc.ResourceServiceServicer):
    """See the contract; every method raises what its comment there names."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def RegisterResource(
        self, request: _pb.RegisterResourceRequest, context: Any
    ) -> _pb.RegisterResourceResponse:
        """Registers a pipeline, a notebook or a model."""
        here = call.current()
        new = NewResource(
            scope=here.scope,
            type=_NAMES.get(request.resource_type, ""),
            name=request.resource_name,
            description=request.resource_description,
            job_type=_job_type(request),
            parameters=wire.to_dict(request).get("parameters") or {},
            content=request.content,
            created_by=here.by,
        )
        resource = await self._resources.register(new)
        return _pb.RegisterResourceResponse(resource_id=resource.resource_id, resource=_shown(resource))

    async def ListResources(self, request: _pb.ListResourcesRequest, context: Any) -> _pb.ListResourcesResponse:
        """Resources of a project, newest first."""
        wanted = PageRequest(None, request.page_size, request.page_token or None)
        type_ = _NAMES.get(request.resource_type, "")
        page = await self._resources.list(call.current().scope, wanted, type_)
        return _pb.ListResourcesResponse(
            resources=[_shown(resource) for resource in page.items], next_page_token=page.next_token
        )

    async def GetResource(self, request: _pb.GetResourceRequest, context: Any) -> _pb.GetResourceResponse:
        """One resource."""
        resource = await self._resources.get(call.current().scope, request.resource_id)
        return _pb.GetResourceResponse(resource=_shown(resource))

    async def DeleteResource(self, request: _pb.DeleteResourceRequest, context: Any) -> _pb.DeleteResourceResponse:
        """Deletes a resource and its file."""
        resource = await self._resources.delete(call.current().scope, request.resource_id)
        return _pb.DeleteResourceResponse(resource_id=resource.resource_id)


def _job_type(request: _pb.RegisterResourceRequest) -> str:
    word = words.type_word(common_pb2.JobType.DESCRIPTOR, request.job_type)
    if word == words.CUSTOM:
        fault = "names no type of its own: leave it out, and the pipeline fits jobs of every type"
        raise InvalidField.of(Violation("job_type", fault))
    return word


def _shown(resource: Resource) -> _pb.Resource:
    pipeline = resource.type == PIPELINE
    return _pb.Resource(
        resource_id=resource.resource_id,
        resource_type=_TYPES[resource.type],
        resource_name=resource.name,
        resource_description=resource.description or None,
        job_type=words.job_type(resource.job_type) if resource.job_type else None,
        parameters=struct(dict(resource.parameters)) if pipeline else None,
        size_bytes=None if pipeline else resource.size_bytes,
        registered_by=resource.created_by or None,
        date_created=timestamp(resource.created),
    )
