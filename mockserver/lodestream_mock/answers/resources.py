"""ResourceService: pipelines, notebooks and models, kept for the session."""

from lodestream.errors import ResourceNotFound
from lodestream.v1 import resource_pb2 as resource
from lodestream.v1.common_pb2 import JobType
from lodestream.v1.resource_pb2 import ResourceType
from lodestream_mock.answers.call import CALLER, Call, answers
from lodestream_mock.answers.filters import slim_page
from lodestream_mock.answers.replay import echo
from lodestream_mock.answers.unknown import missing
from lodestream_mock.play import typed


def shelf(call: Call) -> dict[str, resource.Resource]:
    """The session's resources; the documented pipeline is there from the start."""
    found = call.session.shelf("resource")
    if not call.session.counters.get("resource-shelf"):
        call.session.count("resource-shelf")
        pipeline = resource.Resource(
            resource_id="770e8400-e29b-41d4-a716-446655440000",
            resource_type=ResourceType.RESOURCE_TYPE_PIPELINE,
            resource_name="Customer Analytics Pipeline",
            job_type=JobType.JOB_TYPE_PROCESS_MINING,
            registered_by=CALLER,
            date_created=typed.instant(call.session.scenario.now),
        )
        found[pipeline.resource_id] = pipeline
    return found


@answers("RegisterResource")
def register_resource(call: Call, request: resource.RegisterResourceRequest) -> resource.RegisterResourceResponse:
    """What the caller said, under an id of its own."""
    resource_id, _ = call.session.new_id("resource")
    made = resource.Resource(
        resource_id=resource_id, registered_by=CALLER, date_created=typed.instant(call.session.epoch_ms)
    )
    echo(request, made)
    if request.HasField("content"):
        made.size_bytes = len(request.content)
    shelf(call)[resource_id] = made
    return resource.RegisterResourceResponse(resource_id=resource_id, resource=made)


@answers("ListResources")
def list_resources(call: Call, request: resource.ListResourcesRequest) -> resource.ListResourcesResponse:
    """Newest first."""
    entries = list(reversed(shelf(call).values()))
    if request.resource_type:
        entries = [entry for entry in entries if entry.resource_type == request.resource_type]
    shown, token = slim_page(entries, request)
    return resource.ListResourcesResponse(resources=shown, next_page_token=token or None)


@answers("GetResource")
def get_resource(call: Call, request: resource.GetResourceRequest) -> resource.GetResourceResponse:
    """Raises ResourceNotFound."""
    return resource.GetResourceResponse(resource=_one(call, request.resource_id))


@answers("DeleteResource")
def delete_resource(call: Call, request: resource.DeleteResourceRequest) -> resource.DeleteResourceResponse:
    """Raises ResourceNotFound, also when repeated."""
    _one(call, request.resource_id)
    del shelf(call)[request.resource_id]
    return resource.DeleteResourceResponse(resource_id=request.resource_id)


def _one(call: Call, resource_id: str) -> resource.Resource:
    found = shelf(call).get(resource_id)
    if found is None:
        raise missing(call, ResourceNotFound, resource_id, list(shelf(call)), "resource")
    return found
