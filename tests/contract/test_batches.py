"""Cancelling batches, at every door: a receipt while there is something to stop and whenever it is asked for again, a
conflict where the batch has ended by itself."""

import uuid

import pytest

from lodestream import errors
from lodestream.v1 import batch_pb2, common_pb2, operation_pb2
from tests.contract.kinds import OPERATIONS

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUICK, WAITING, FAILING = OPERATIONS.quick, OPERATIONS.waiting, OPERATIONS.failing
STATUS = common_pb2.OperationStatus
#: It stops the others when one fails.
STRICT = batch_pb2.SubmitBatchRequest.FailurePolicy(stop_on_first_failure=True)


async def submitted(world, *steps, **fields):
    """A batch of (key, type, *needs)."""
    request = batch_pb2.SubmitBatchRequest(**world.scope, batch_name="A batch", **fields)
    for key, type_, *needs in steps:
        one = request.operations.add(operation_key=key, operation_name=key, operation_type=type_, dependencies=needs)
        if type_ == WAITING:
            one.parameters.update({"gate": str(world.gate)})
    return await world.door.call("BatchService/SubmitBatch", request)


async def ended(world, batch_id):
    """The batch after its end."""
    request = batch_pb2.GetBatchRequest(**world.scope, batch_id=batch_id)
    async for _ in world.door.watch("BatchService/WatchBatch", batch_pb2.WatchBatchRequest(request=request)):
        pass
    return await world.door.call("BatchService/GetBatch", request)


async def cancel(world, batch_id, **fields):
    """The receipt."""
    request = batch_pb2.CancelBatchRequest(**world.scope, batch_id=batch_id, **fields)
    return await world.door.call("BatchService/CancelBatch", request)


async def test_a_cancelled_batch_gives_the_same_receipt_again(world):
    """Also where one of its operations had failed before; the words are those of who cancelled it."""
    batch_id = (await submitted(world, ("bad", FAILING), ("waits", WAITING))).batch_id
    receipt = await cancel(world, batch_id, reason="no longer needed")
    assert (receipt.status, receipt.reason) == (STATUS.OPERATION_STATUS_CANCELLED, "no longer needed")
    await ended(world, batch_id)
    assert await cancel(world, batch_id, reason="really") == receipt


@pytest.mark.parametrize(
    ("steps", "policy", "status"),
    [
        ([("only", QUICK)], None, STATUS.OPERATION_STATUS_COMPLETED),
        ([("bad", FAILING), ("other", QUICK)], None, STATUS.OPERATION_STATUS_FAILED),
        ([("bad", FAILING), ("waits", WAITING)], STRICT, STATUS.OPERATION_STATUS_FAILED),
    ],
    ids=["completed", "failed", "stopped by its policy"],
)
async def test_a_batch_that_has_ended_by_itself_cannot_be_cancelled(world, steps, policy, status):
    """However it ended; too late is a conflict, not a success."""
    batch_id = (await submitted(world, *steps, failure_policy=policy)).batch_id
    assert (await ended(world, batch_id)).status == status
    with pytest.raises(errors.RunAlreadyEnded):
        await cancel(world, batch_id)


async def test_a_batch_whose_operation_was_cancelled_by_itself_cannot_be_cancelled_afterwards(world):
    """Nobody had cancelled the batch, and nothing of it is left to stop."""
    batch = await submitted(world, ("waits", WAITING))
    (operation,) = batch.operations
    request = operation_pb2.CancelOperationRequest(**world.scope, operation_id=operation.operation_id)
    await world.door.call("OperationService/CancelOperation", request)
    await ended(world, batch.batch_id)
    with pytest.raises(errors.RunAlreadyEnded, match="CANCELLED"):
        await cancel(world, batch.batch_id)


async def test_a_batch_that_never_was_is_not_found(world):
    """In the words of a foreign one."""
    with pytest.raises(errors.RunNotFound):
        await cancel(world, str(uuid.uuid4()))
