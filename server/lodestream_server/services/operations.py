"""OperationService: runs as operations of the async API."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from lodestream import wire
from lodestream.v1 import common_pb2, operation_pb2, operation_pb2_grpc
from lodestream_server.delivery.asked_for import callbacks_registered
from lodestream_server.delivery.subscriptions import CallbackCounts
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder, NewRun
from lodestream_server.grpc_door import call
from lodestream_server.runs.progress import progress
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.as_operation import (
    as_cancelled_operation,
    as_operation,
    as_operation_summary,
    as_started_operation,
)
from lodestream_server.runs.shapes.common import completion
from lodestream_server.runs.shapes.values import instant, seconds
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind, State
from lodestream_server.services.as_webhook import as_callbacks
from lodestream_server.services.listing import page_request
from lodestream_server.services.results import Results
from lodestream_server.services.retrying import OperationRetrying
from lodestream_server.services.run_stories import whole_story
from lodestream_server.services.runs_common import expected, kept_urls, one_effect, place_of, type_of
from lodestream_server.services.watching import RunWatcher
from lodestream_server.store.reading import RunFilter

_pb = operation_pb2

#: What became of a run's callbacks.
Callbacks = Callable[[str], Awaitable[CallbackCounts]]


class OperationService(OperationRetrying, operation_pb2_grpc.OperationServiceServicer):
    """See the contract; every method raises what its comment there names."""

    def __init__(self, engine: Engine, watcher: RunWatcher, results: Results, callbacks: Callbacks) -> None:
        self._engine = engine
        self._watcher = watcher
        self._results = results
        self._callbacks = callbacks

    async def StartOperation(self, request: _pb.StartOperationRequest, context: Any) -> _pb.StartOperationResponse:
        """Starts an operation."""
        submission = await self._engine.submit(_new_run(request))
        start = submission.estimated_start or submission.run.created
        cost = submission.estimated_cost_usd
        done, called = completion(start, submission.run.estimate), callbacks_registered(submission.run.extras)
        return as_started_operation(submission.run, done, cost, called)

    async def GetOperation(self, request: _pb.GetOperationRequest, context: Any) -> _pb.GetOperationResponse:
        """One operation as it is now."""
        scope = call.current().scope
        return await self._shown(await self._engine.get(scope, request.operation_id, RunKind.OPERATION))

    def WatchOperation(self, request: _pb.WatchOperationRequest, context: Any) -> AsyncIterator[Any]:
        """One operation, live."""
        story = whole_story(_pb.WatchOperationResponse, self._shown)
        return self._watcher.watch(story, request, request.request.operation_id, RunKind.OPERATION)

    async def ListOperations(self, request: _pb.ListOperationsRequest, context: Any) -> _pb.ListOperationsResponse:
        """Operations of a project, newest first."""
        scope, wanted = call.current().scope, page_request(request)
        page = await self._engine.list(scope, _filter(request), wanted)
        counts = await self._engine.counters(scope, RunKind.OPERATION)
        now = self._engine.clock.now()
        return _pb.ListOperationsResponse(
            operations=[
                as_operation_summary(run, progress(run, now), details=request.include_details) for run in page.items
            ],
            summary=_pb.ListOperationsResponse.Summary(
                total_operations=sum(counts.values()),
                running=counts[State.RUNNING] + counts[State.CANCELLING],
                completed=counts[State.COMPLETED],
                failed=counts[State.FAILED],
                cancelled=counts[State.CANCELLED],
            ),
            page=wanted.page,
            page_size=wanted.page_size,
            has_next_page=page.has_next,
            next_page_token=page.next_token,
        )

    async def CancelOperation(self, request: _pb.CancelOperationRequest, context: Any) -> _pb.CancelOperationResponse:
        """Stops an operation."""
        here = call.current()
        order = CancelOrder(
            here.by,
            request.reason,
            request.force_termination,
            request.preserve_partial_results,
            request.notify_callbacks,
        )
        run = await self._engine.cancel(here.scope, request.operation_id, order, RunKind.OPERATION)
        urls = await kept_urls(self._engine, here.scope, run)
        return as_cancelled_operation(run, urls, self._results.saved_usd(run))

    async def GetOperationResults(
        self, request: _pb.GetOperationResultsRequest, context: Any
    ) -> _pb.GetOperationResultsResponse:
        """What an operation produced."""
        return await self._results.of_operation(call.current().scope, request)

    async def _shown(self, run: RunState) -> _pb.GetOperationResponse:
        _, done = expected(run, await place_of(self._engine, run))
        counts = as_callbacks(await self._callbacks(run.run_id)) if callbacks_registered(run.extras) else None
        return as_operation(run, progress(run, self._engine.clock.now()), done, counts)


def _new_run(request: _pb.StartOperationRequest) -> NewRun:
    here = call.current()
    said = wire.to_dict(request)
    return NewRun(
        scope=here.scope,
        kind=RunKind.OPERATION,
        type=type_of(common_pb2.OperationType.DESCRIPTOR, request, "operation_type"),
        name=request.operation_name,
        description=request.operation_description,
        priority=words.priority(request.priority),
        submitted_by=here.by,
        parameters=said.get("parameters") or {},
        timeout_s=seconds(request.timeout),
        extras={key: said[key] for key in ("callbacks", "notifications", "retryPolicy") if said.get(key)},
        request=one_effect(here, request, request.request_id),
    )


def _filter(request: _pb.ListOperationsRequest) -> RunFilter:
    type_ = type_of(common_pb2.OperationType.DESCRIPTOR, request, "operation_type")
    return RunFilter(
        RunKind.OPERATION,
        states=words.operation_states(request.status),
        types=frozenset({type_} - {""}),
        priorities=frozenset({words.priority(request.priority)} if request.priority else ()),
        created_from=instant(request.date_from) if request.HasField("date_from") else None,
        created_to=instant(request.date_to) if request.HasField("date_to") else None,
    )
