"""Operations: the async API's runs, made of phases."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from lodestream.client import arguments
from lodestream.client.calls import Caller
from lodestream.client.datasets import parameters_with
from lodestream.client.paging import Listing
from lodestream.client.patience import Patience
from lodestream.client.runs import Broken, RunHandle
from lodestream.client.watching import Watch
from lodestream.v1 import common_pb2
from lodestream.v1.common_pb2 import RetryPolicy
from lodestream.v1.dataset_pb2 import Dataset
from lodestream.v1.event_pb2 import RunEvent
from lodestream.v1.operation_pb2 import (
    CancelOperationRequest,
    CancelOperationResponse,
    GetOperationRequest,
    GetOperationResponse,
    GetOperationResultsRequest,
    GetOperationResultsResponse,
    ListOperationsRequest,
    ListOperationsResponse,
    OperationSummary,
    RetryMode,
    RetryOperationRequest,
    RetryOperationResponse,
    StartOperationRequest,
    StartOperationResponse,
    WatchOperationRequest,
)
from lodestream.v1.operation_pb2_grpc import OperationServiceStub


class OperationHandle(RunHandle[GetOperationResponse, GetOperationResultsResponse, CancelOperationResponse]):
    """One operation, by its id. `started` is the server's answer where this client started it."""

    kind = "operation"
    started: StartOperationResponse | None = None

    async def get(self) -> GetOperationResponse:
        """The operation as it is now. Raises RunNotFound."""
        request = self._scoped(GetOperationRequest, "operation_id")
        return await self._caller.call(self._caller.stub(OperationServiceStub).GetOperation, request)

    def watch(
        self, *, replay: bool = False, token: str = "", after: int = 0, on_break: Broken | None = None
    ) -> Watch[GetOperationResponse, RunEvent]:
        """The operation, live; see `RunHandle.watch`."""
        request = WatchOperationRequest(request=self._scoped(GetOperationRequest, "operation_id"), replay=replay)
        opener = self._opener(self._caller.stub(OperationServiceStub).WatchOperation, request)
        return self._watch(opener, from_one=replay, token=token, after=after, on_break=on_break)

    async def results(
        self, *, format: str | int = "detailed", artifacts: bool = True, phase: str = ""
    ) -> GetOperationResultsResponse:
        """What the operation produced: "summary", "detailed" (with every phase's free-form results) or "download" (with
        a zip of all); `phase` narrows it to one. Raises RunNotFinished, PhaseNotFound."""
        request = GetOperationResultsRequest(
            format=_format(format), include_artifacts=artifacts, **arguments.given(phase=phase)
        )
        request.MergeFrom(self._scoped(GetOperationResultsRequest, "operation_id"))
        return await self._caller.call(self._caller.stub(OperationServiceStub).GetOperationResults, request)

    async def cancel(
        self, reason: str = "", *, force: bool = False, keep_results: bool = True
    ) -> CancelOperationResponse:
        """Stops the operation; see `RunHandle.cancel`."""
        request = CancelOperationRequest(force_termination=force, preserve_partial_results=keep_results)
        request.MergeFrom(self._scoped(CancelOperationRequest, "operation_id"))
        request.MergeFrom(CancelOperationRequest(**arguments.given(reason=reason)))
        return await self._caller.call(self._caller.stub(OperationServiceStub).CancelOperation, request)

    async def retry(
        self,
        reason: str = "",
        *,
        restart: bool = False,
        parameters: Mapping[str, Any] | None = None,
        time_limit: timedelta | None = None,
        retries: RetryPolicy | None = None,
        keep_original: bool = True,
        request_id: str | None = None,
    ) -> RetryOperationResponse:
        """Starts a new operation from one that failed, timed out or was cancelled: at the first phase that is not
        finished or reads a changed parameter, or at the first of all with `restart`. `parameters` are merged over the
        original ones. Safe against a broken connection. Raises RunNotRetryable, InvalidField."""
        request = RetryOperationRequest(
            retry_mode=RetryMode.RETRY_MODE_RESTART if restart else RetryMode.RETRY_MODE_RESUME,
            modify_parameters=bool(parameters),
            updated_parameters=arguments.struct(parameters, "updatedParameters") if parameters else None,
            retry_policy=retries,
            new_timeout=arguments.duration(time_limit),
            preserve_original_results=keep_original,
            request_id=request_id or arguments.new_request_id(),
            **arguments.given(retry_reason=reason),
        )
        request.MergeFrom(self._scoped(RetryOperationRequest, "operation_id"))
        return await self._caller.call(self._caller.stub(OperationServiceStub).RetryOperation, request)


class OperationCalls:
    """The part of a client that deals with operations."""

    _caller: Caller
    _patience: Patience

    async def start_operation(
        self,
        name: str,
        *,
        type: str | int = "ProcessMiningAnalysis",
        dataset: str | Dataset | None = None,
        parameters: Mapping[str, Any] | None = None,
        priority: str | int | None = None,
        description: str = "",
        time_limit: timedelta | None = None,
        retries: RetryPolicy | None = None,
        request_id: str | None = None,
    ) -> OperationHandle:
        """Starts an operation; returns once it is durable. Safe against a broken connection: it is started once.

        `type` is a documented word or the name of an own workload; `dataset` becomes parameters.datasetId. Raises
        InvalidField, UnknownDataset, NotBuilt and what else StartOperation names.
        """
        request = StartOperationRequest(
            tenant_id=self._caller.settings.tenant_id,
            project_id=self._caller.settings.project_id,
            operation_name=name,
            parameters=arguments.struct(parameters_with(parameters, dataset)),
            request_id=request_id or arguments.new_request_id(),
            retry_policy=retries,
            timeout=arguments.duration(time_limit),
            **arguments.type_named(common_pb2.OperationType.DESCRIPTOR, type, "operation_type"),
            **arguments.given(
                priority=arguments.number_of(common_pb2.Priority.DESCRIPTOR, priority, "priority"),
                operation_description=description,
            ),
        )
        answer = await self._caller.call(self._caller.stub(OperationServiceStub).StartOperation, request)
        handle = self.operation(answer.operation_id)
        handle.started = answer
        return handle

    def operation(self, operation_id: str) -> OperationHandle:
        """The handle of an operation. Asks nothing."""
        return OperationHandle(self._caller, operation_id, patience=self._patience)

    def operations(
        self,
        *,
        status: str | int | None = None,
        type: str | int | None = None,
        priority: str | int | None = None,
        details: bool = False,
        date_from: datetime | None = None,
        date_to: datetime | None = None,
        page_size: int = 0,
    ) -> Listing[ListOperationsResponse, OperationSummary]:
        """Operations of the project, newest first; `details` adds resource usage, phase and record counts."""
        wanted = arguments.given(
            status=arguments.number_of(common_pb2.OperationStatus.DESCRIPTOR, status, "status"),
            **(arguments.type_named(common_pb2.OperationType.DESCRIPTOR, type, "operation_type") if type else {}),
            priority=arguments.number_of(common_pb2.Priority.DESCRIPTOR, priority, "priority"),
            include_details=details,
            date_from=arguments.timestamp(date_from),
            date_to=arguments.timestamp(date_to),
            page_size=page_size,
        )

        async def fetch(token: str) -> ListOperationsResponse:
            scope = self._caller.settings
            page = arguments.given(page_token=token)
            request = ListOperationsRequest(tenant_id=scope.tenant_id, project_id=scope.project_id, **wanted, **page)
            return await self._caller.call(self._caller.stub(OperationServiceStub).ListOperations, request)

        return Listing(fetch, lambda page: page.operations, lambda page: page.next_page_token)


def _format(value: str | int) -> common_pb2.ResultFormat.ValueType:
    number = arguments.number_of(common_pb2.ResultFormat.DESCRIPTOR, value, "format")
    return common_pb2.ResultFormat.ValueType(number)
