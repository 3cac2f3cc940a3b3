"""Ids of somebody else: for every method and every field that takes an id, the answer is the one for an id that never
was. The rows come from the descriptors; a field that nobody here knows fails."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToJson
from lodestream_server.grpc_door.methods import METHODS

from lodestream import errors
from lodestream.v1 import batch_pb2, common_pb2, key_pb2, resource_pb2, webhook_pb2
from tests.contract.doors import GrpcDoor, method_of
from tests.contract.kinds import JOBS, OPERATIONS
from tests.contract.minimal import request_for
from tests.contract.test_access import ask
from tests.contract.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")
_NAMES_SOMETHING = re.compile(r"(_id|_ids|^prefix|^dependencies)$")
#: Fields that look like ids and name nothing that belongs to somebody.
_NO_IDS = {"tenant_id", "project_id", "request_id", "execution_id"}
#: Which of the things below a field names; a new name without a line here fails `test_every_id_field_has_a_row`.
_NAMES = {
    "job_id": "job",
    "job_ids": "job",
    "run_id": "job",
    "operation_id": "operation",
    "batch_id": "batch",
    "dataset_id": "dataset",
    "resource_id": "resource",
    "artifact_id": "artifact",
    "webhook_id": "webhook",
    "delivery_id": "delivery",
    "subscription_id": "subscription",
    "prefix": "key",
    "dependencies": "job",
    "parameters": "dataset",
    "updated_parameters": "dataset",
}
#: Keys of operations within the batch, not ids.
_KEYS = {("BatchService/SubmitBatch", "operations.dependencies")}


def _fields(descriptor: Any, path: str = "", depth: int = 4) -> Iterator[str]:
    for field in descriptor.fields:
        here = f"{path}{field.name}"
        if field.name.endswith("parameters") and field.message_type:
            yield here
        elif field.message_type and depth and field.message_type.full_name.startswith("lodestream."):
            yield from _fields(field.message_type, f"{here}.", depth - 1)
        elif _NAMES_SOMETHING.search(field.name) and field.name not in _NO_IDS:
            yield here


ROWS = [
    (name.removeprefix("lodestream.v1."), path)
    for name, method in METHODS.items()
    for path in _fields(method.descriptor.input_type)
    if (name.removeprefix("lodestream.v1."), path) not in _KEYS
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theirs(real_server, tmp_path_factory):
    """One of everything in somebody else's project; it must be there unharmed when all was tried."""
    folder: Path = tmp_path_factory.mktemp("theirs")
    door = GrpcDoor(real_server.channel, real_server.token)
    world = World(door, str(uuid.uuid4()), str(uuid.uuid4()), folder)
    things = await _one_of_everything(world)
    waiting = ((JOBS, things["job"]), (OPERATIONS, things["operation"]))
    before = [(await world.get(kind, run_id)).status for kind, run_id in waiting]
    yield SimpleNamespace(world=world, things=things)
    assert [(await world.get(kind, run_id)).status for kind, run_id in waiting] == before
    for method, field, of in (
        ("DatasetService/GetDataset", "dataset_id", "dataset"),
        ("WebhookService/GetWebhook", "webhook_id", "webhook"),
    ):
        await door.call(method, _filled(method, world, field, things[of]))
    subscribed = _filled("WebhookService/ListSubscriptions", world, "job_id", things["job"])
    assert len((await door.call("WebhookService/ListSubscriptions", subscribed)).subscriptions) == 1
    for kind, run_id in waiting:
        await world.cancel(kind, run_id)


async def _one_of_everything(world: World) -> dict[str, str]:
    done = await world.finished(JOBS)
    job, operation = await world.start_waiting(JOBS), await world.start_waiting(OPERATIONS)
    files = await world.door.call(
        "ArtifactService/ListArtifacts", _filled("ArtifactService/ListArtifacts", world, "run_id", done)
    )
    batch = batch_pb2.SubmitBatchRequest(tenant_id=world.tenant_id, project_id=world.project_id, batch_name="Theirs")
    step = batch.operations.add(operation_key="a", operation_name="A")
    step.operation_type = common_pb2.OPERATION_TYPE_PROCESS_MINING_ANALYSIS
    hook = webhook_pb2.RegisterWebhookRequest(
        tenant_id=world.tenant_id,
        project_id=world.project_id,
        webhook_url="http://127.0.0.1:9/",
        events=[webhook_pb2.WEBHOOK_EVENT_OPERATION_STARTED],
    )
    hooked = await world.door.call("WebhookService/RegisterWebhook", hook)
    subscription = webhook_pb2.SubscribeToJobRequest(
        tenant_id=world.tenant_id,
        project_id=world.project_id,
        job_id=job,
        subscription_type=webhook_pb2.SUBSCRIPTION_TYPE_WEBHOOK,
        webhook_url="http://127.0.0.1:9/",
        events=[webhook_pb2.SUBSCRIPTION_EVENT_JOB_COMPLETED],
    )
    made = key_pb2.CreateKeyRequest(name="theirs", role=key_pb2.ROLE_READ, tenant_id=world.tenant_id)
    dataset = (await world.upload()).dataset_id
    return {
        "job": job,
        "operation": operation,
        "batch": (await world.door.call("BatchService/SubmitBatch", batch)).batch_id,
        "dataset": dataset,
        "resource": await _resource(world, dataset),
        "artifact": files.artifacts[0].artifact_id,
        "webhook": hooked.webhook_id,
        "delivery": str(uuid.uuid4()),
        "subscription": (await world.door.call("WebhookService/SubscribeToJob", subscription)).subscription_id,
        "key": (await world.door.call("KeyService/CreateKey", made)).key.prefix,
    }


async def _resource(world: World, dataset: str) -> str:
    """A registered one, or the dataset where none can be registered: runs name both alike."""
    method = "ResourceService/RegisterResource"
    request = request_for(method_of(method), world.tenant_id, world.project_id)
    try:
        answer: resource_pb2.RegisterResourceResponse = await ask(world.door, method, request)
    except errors.LodestreamError:
        return dataset
    return answer.resource_id


def _filled(method: str, world: World, path: str, value: str) -> Any:
    """The least request of a method, with the id in its place."""
    request = request_for(method_of(method), world.tenant_id, world.project_id)
    *outer, last = path.split(".")
    at = request
    for name in outer:
        at = getattr(at, name)
        at = at[0] if hasattr(at, "append") else at
    if last.endswith("parameters"):
        getattr(at, last).update({"datasetId": value})
    elif at.DESCRIPTOR.fields_by_name[last].is_repeated:
        getattr(at, last)[:] = [value]
    else:
        setattr(at, last, value)
        if last == "resource_id" and outer:
            at.resource_type = "Dataset"
    return request


async def _told(door: Any, method: str, request: Any, value: str) -> str:
    """What comes of it, without the id and without what differs from call to call."""
    try:
        told = MessageToJson(await ask(door, method, request))
    except errors.LodestreamError as fault:
        told = f"{fault.reason}: {fault.message} {fault.violations} {fault.details}"
    except StopAsyncIteration:
        told = "nothing"
    told = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\"[\d.]+s\"|\b0\.\d+\b|HEALTH_\w+", "when", told.replace(value, "ID"))
    return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|\"resumeToken\": \"[^\"]*\"", "new", told)


async def test_every_id_field_has_a_row():
    """Whoever adds a method says here what its ids name."""
    assert {path.rpartition(".")[2] for _, path in ROWS} <= _NAMES.keys()
    assert len(ROWS) > 50


@pytest.mark.parametrize("elsewhere", ["another project", "another tenant"])
@pytest.mark.parametrize(("method", "path"), ROWS, ids=[f"{method} {path}" for method, path in ROWS])
async def test_somebody_elses_id_is_one_that_never_was(world, theirs, method, path, elsewhere):
    """With a key that may do everything, but in another project of the same tenant, or in another tenant."""
    tenant = theirs.world.tenant_id if elsewhere == "another project" else world.tenant_id
    here = World(world.door, tenant, world.project_id, world.folder)
    key = key_pb2.CreateKeyRequest(name="ours", role=key_pb2.ROLE_ADMIN, tenant_id=tenant, project_id=here.project_id)
    door = world.door.with_token((await world.door.call("KeyService/CreateKey", key)).token)
    value = theirs.things[_NAMES[path.rpartition(".")[2]]]
    never = value[:-6] + ("000000" if value[-6:] != "000000" else "111111")
    foreign, unknown = [await _told(door, method, _filled(method, here, path, one), one) for one in (value, never)]
    assert foreign == unknown
    assert not foreign.startswith(("INTERNAL", "UNAUTHENTICATED"))
