"""Starts the nightly analysis and follows it, over gRPC."""

from typing import Any

import grpc

from lodestream.v1 import operation_pb2 as operation
from lodestream.v1 import operation_pb2_grpc
from lodestream.v1.common_pb2 import OperationType, RunState


class AnalysisFailed(Exception):
    """The analysis ended without results."""


class Nightly:
    """`channel` leads to the server; `start` returns an id, `follow` the percentages on the way to the end."""

    def __init__(self, channel: grpc.Channel, tenant_id: str, project_id: str) -> None:
        self._stub = operation_pb2_grpc.OperationServiceStub(channel)
        self._tenant, self._project = tenant_id, project_id

    def start(self, dataset_id: str) -> str:
        """Starts an analysis of a dataset."""
        request = operation.StartOperationRequest(
            operation_type=OperationType.OPERATION_TYPE_PROCESS_MINING_ANALYSIS,
            operation_name="Nightly analysis",
            tenant_id=self._tenant,
            project_id=self._project,
        )
        request.parameters["datasetId"] = dataset_id
        return str(self._stub.StartOperation(request).operation_id)

    def follow(self, operation_id: str) -> list[float]:
        """Every percentage until the end. Raises AnalysisFailed, and RpcError for what trying again does not heal."""
        asked = operation.GetOperationRequest(
            tenant_id=self._tenant, project_id=self._project, operation_id=operation_id
        )
        percentages: list[float] = []
        token = ""
        for _ in range(5):  # a stream that ends without `done` means: go on from its last token
            try:
                watch = operation.WatchOperationRequest(request=asked, resume_token=token)
                for frame in self._stub.WatchOperation(watch):
                    token = frame.resume_token
                    percentages += [event.percentage for event in frame.events.events]
                    if frame.HasField("done"):
                        return self._ended(frame.done, percentages)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
        raise AnalysisFailed("the stream kept breaking")

    def retry(self, operation_id: str) -> str:
        """A new operation that keeps the finished phases."""
        request = operation.RetryOperationRequest(
            tenant_id=self._tenant, project_id=self._project, operation_id=operation_id
        )
        return str(self._stub.RetryOperation(request).new_operation_id)

    @staticmethod
    def _ended(done: Any, percentages: list[float]) -> list[float]:
        if done.state != RunState.RUN_STATE_COMPLETED:
            raise AnalysisFailed(RunState.Name(done.state))
        return percentages
