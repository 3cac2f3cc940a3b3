"""One effect for many sends: of every method that takes a request id, and over a restart of the server."""

from typing import Any

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass
from lodestream_server.grpc_door.methods import METHODS

from lodestream import rich_status
from tests.contract.workloads import CATALOGUE
from tests.support.server import PROJECT, TENANT, running_server

STEP = {"operation_name": "a", "operation_type": 1, "operation_key": "a"}
#: How to call each method, what makes it another request, and where the answer names what was made. FAILED stands for
#: the id of a run that has failed.
ROWS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "OperationService/StartOperation": (
        {"operation_name": "x", "operation_type": 1},
        {"operation_name": "y"},
        "operation_id",
    ),
    "OperationService/RetryOperation": ({"operation_id": "FAILED"}, {"retry_reason": "y"}, "new_operation_id"),
    "JobService/SubmitJob": ({"job_name": "x", "job_type": 1}, {"job_name": "y"}, "job_id"),
    "JobService/RetryJob": ({"job_id": "FAILED"}, {"retry_reason": "y"}, "job_id"),
    "BatchService/SubmitBatch": ({"batch_name": "x", "operations": [STEP]}, {"batch_name": "y"}, "batch_id"),
}
TAKERS = {
    name.removeprefix("lodestream.v1."): method
    for name, method in METHODS.items()
    if "request_id" in method.descriptor.input_type.fields_by_name
}


async def send(server, name, **fields):
    """The answer of a call."""
    method = TAKERS[name].descriptor
    ask, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    call = server.channel.unary_unary(
        f"/lodestream.v1.{name}", request_serializer=ask.SerializeToString, response_deserializer=answer.FromString
    )
    request = ask(**{"tenant_id": TENANT, "project_id": PROJECT, **fields})
    return await call(request, metadata=server.metadata)


async def failed(server, name):
    """The id of a run of that method's kind that has failed."""
    if name.startswith("Job"):
        run_id = (await send(server, "JobService/SubmitJob", job_name="x", job_type=4)).job_id
    else:
        started = await send(server, "OperationService/StartOperation", operation_name="x", operation_type=3)
        run_id = started.operation_id
    async for _ in server.engine._store.tail(run_id):
        pass
    return run_id


async def runs(server):
    """How many runs there are, of all kinds and states."""
    return sum((await server.engine.totals()).values())


def test_every_method_that_takes_a_request_id_has_a_row():
    """So that a new one is tried too."""
    assert set(ROWS) == set(TAKERS)


@pytest.mark.parametrize("name", sorted(ROWS))
async def test_one_request_id_has_one_effect_over_a_restart(tmp_path, name):
    """The same answer names the same run; another body under the same id is 422, and makes nothing."""
    fields, other, made = ROWS[name]
    async with running_server(tmp_path, catalogue=CATALOGUE) as server:
        given = dict(fields)
        for field, value in fields.items():
            if value == "FAILED":
                given[field] = await failed(server, name)
        first = await send(server, name, request_id="once", **given)
        again = await send(server, name, request_id="once", **given)
        assert getattr(again, made) == getattr(first, made) != ""
        count = await runs(server)
    async with running_server(tmp_path, catalogue=CATALOGUE) as server:
        later = await send(server, name, request_id="once", **given)
        assert getattr(later, made) == getattr(first, made)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await send(server, name, request_id="once", **(given | other))
        error = rich_status.from_call(caught.value)
        assert error is not None
        assert (caught.value.code(), error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "IDEMPOTENCY_KEY_REUSED")
        assert await runs(server) == count
        another = await send(server, name, request_id="twice", **given)
        assert getattr(another, made) != getattr(first, made)
