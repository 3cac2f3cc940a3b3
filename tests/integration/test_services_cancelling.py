"""What cancelling over the real server says and does beyond stopping: what it saves, and who hears of it."""

from typing import Any

import pytest
from lodestream_server.runs.states import State

from lodestream.v1.batch_pb2 import CancelBatchRequest, SubmitBatchRequest
from lodestream.v1.batch_pb2_grpc import BatchServiceStub
from lodestream.v1.common_pb2 import OPERATION_TYPE_DATA_ENRICHMENT
from lodestream.v1.operation_pb2 import CancelOperationRequest, OperationCallbacks, StartOperationRequest
from lodestream.v1.operation_pb2_grpc import OperationServiceStub
from tests.integration.client_world import SCOPE, world
from tests.integration.delivery_world import receiving
from tests.support.server import PROJECT, TENANT

PLACE: dict[str, Any] = {"tenant_id": TENANT, "project_id": PROJECT}


async def test_the_receipt_says_what_stopping_saved(tmp_path):
    """From prices and from how far the run was; without either it says nothing. The same for the operations of a
    batch."""
    async with world(tmp_path, price_cpu_hour=3600.0, price_gb_hour=0.0) as here:
        first = await here.client.start_operation("Slow", type="DataEnrichment", parameters=here.waiting)
        await here.begun()
        receipt = await first.cancel(force=True)
        run = await here.server.engine.get(SCOPE, first.id)
        assert run.percent > 10
        assert run.started
        assert run.ended
        left_s = (run.ended - run.started).total_seconds() * (100 - run.percent) / run.percent
        saved = receipt.resources_released.cost_saved
        assert saved.units + saved.nanos / 1e9 == pytest.approx(left_s * run.resources.cpu_units, rel=0.01, abs=0.01)
        (tmp_path / "begun").unlink()
        step = SubmitBatchRequest.Operation(
            operation_name="Slow", operation_key="a", operation_type=OPERATION_TYPE_DATA_ENRICHMENT
        )
        asked = SubmitBatchRequest(**PLACE, batch_name="Slow", operations=[step])
        asked.operations[0].parameters.update(here.waiting)
        stub = here.client.raw(BatchServiceStub)
        batch_id = (await stub.SubmitBatch(asked)).batch_id
        await here.begun()
        stopped = await stub.CancelBatch(CancelBatchRequest(**PLACE, batch_id=batch_id, force_termination=True))
        assert stopped.operations[0].resources_released.cost_saved.nanos > 0
    async with world(tmp_path / "free") as here:
        operation = await here.client.start_operation("Slow", type="DataEnrichment", parameters=here.waiting)
        receipt = await operation.cancel(force=True)
        assert not receipt.resources_released.HasField("cost_saved")


@pytest.mark.parametrize("notify", [True, False])
async def test_callbacks_hear_of_a_cancellation_unless_they_are_not_to(tmp_path, notify):
    """`notifyCallbacks` false: the run is stopped and its callbacks stay quiet."""
    async with receiving() as receiver, world(tmp_path, delivery_allow_networks="127.0.0.0/8") as here:
        stub = here.client.raw(OperationServiceStub)
        request = StartOperationRequest(
            **PLACE,
            operation_name="Slow",
            operation_type=OPERATION_TYPE_DATA_ENRICHMENT,
            callbacks=OperationCallbacks(on_error=receiver.url()),
        )
        request.parameters.update(here.waiting)
        operation = (await stub.StartOperation(request)).operation_id
        await here.begun()
        stop = CancelOperationRequest(**PLACE, operation_id=operation, force_termination=True, notify_callbacks=notify)
        await stub.CancelOperation(stop)
        assert (await here.server.engine.get(SCOPE, operation)).state is State.CANCELLED
        # The next run's callback comes after this one's would have come.
        request.parameters.update({"gate": str(tmp_path / "never"), "begun": str(tmp_path / "again")})
        after = (await stub.StartOperation(request)).operation_id
        stop.operation_id, stop.notify_callbacks = after, True
        await stub.CancelOperation(stop)
        await receiver.until(lambda r: any(one.said["operationId"] == after for one in r.got))
        assert [one.said["operationId"] for one in receiver.got if one.said["operationId"] == operation] == (
            [operation] if notify else []
        )


async def test_a_project_knows_how_many_datasets_it_has(tmp_path):
    """Whatever page is shown."""
    async with world(tmp_path) as here:
        log = tmp_path / "log.csv"
        log.write_text("case,activity,timestamp\n1,a,2024-01-01\n")
        for _ in range(3):
            await here.client.upload_dataset(log)
        page = await here.client.datasets(page_size=2).page()
        assert (len(page.datasets), page.total_datasets) == (2, 3)
