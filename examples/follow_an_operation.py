"""Upload an event log, start an operation, follow it to its end: nothing but the generated stubs.

Usage: python examples/follow_an_operation.py HOST:PORT TOKEN LOG.csv
"""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import grpc

from lodestream.v1 import common_pb2, dataset_pb2, dataset_pb2_grpc, operation_pb2, operation_pb2_grpc

target, token, log = sys.argv[1], sys.argv[2], Path(sys.argv[3])
tenant, project = str(uuid.uuid4()), str(uuid.uuid4())  # any GUIDs: they need no set-up
key = (("authorization", f"Bearer {token}"),)


def pieces() -> Iterator[dataset_pb2.UploadDatasetRequest]:
    """The header, the file in order, and a footer that says it is whole. The server finds the columns itself."""
    header = dataset_pb2.UploadDatasetRequest.Header(
        tenant_id=tenant, project_id=project, dataset_name=log.stem, file_name=log.name
    )
    yield dataset_pb2.UploadDatasetRequest(header=header)
    with log.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield dataset_pb2.UploadDatasetRequest(chunk=chunk)
    yield dataset_pb2.UploadDatasetRequest(footer=dataset_pb2.UploadDatasetRequest.Footer())


with grpc.insecure_channel(target) as channel:
    dataset = dataset_pb2_grpc.DatasetServiceStub(channel).UploadDataset(pieces(), metadata=key)
    operations = operation_pb2_grpc.OperationServiceStub(channel)
    start = operation_pb2.StartOperationRequest(
        tenant_id=tenant,
        project_id=project,
        operation_type=common_pb2.OPERATION_TYPE_PROCESS_MINING_ANALYSIS,
        operation_name="A first look",
    )
    start.parameters.update({"datasetId": dataset.dataset_id})
    started = operations.StartOperation(start, metadata=key)
    operation = operation_pb2.GetOperationRequest(
        tenant_id=tenant, project_id=project, operation_id=started.operation_id
    )

    seen, done = "", False  # `seen` is all there is to resuming
    while not done:
        watch = operation_pb2.WatchOperationRequest(request=operation, resume_token=seen, replay=True)
        try:
            for frame in operations.WatchOperation(watch, metadata=key, wait_for_ready=True):
                seen, done = frame.resume_token, frame.HasField("done")
                for event in frame.events.events:
                    print(f"{event.sequence:5} {event.percentage:5.1f} %  {event.WhichOneof('body')}")
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:  # the server restarts: its events do not get lost
                raise
