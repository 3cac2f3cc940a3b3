"""BatchService: operations that depend on each other, submitted, followed and stopped as one."""

from collections.abc import AsyncIterator
from typing import Any

from lodestream import wire
from lodestream.v1 import batch_pb2, batch_pb2_grpc, common_pb2, operation_pb2
from lodestream_server.engine.batches import NewBatch, NewStep
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder, NewRun
from lodestream_server.grpc_door import call
from lodestream_server.grpc_door.call import Call
from lodestream_server.runs.batch import BatchState, FailurePolicy
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.as_operation import as_cancelled_operation
from lodestream_server.runs.shapes.values import seconds, timestamp
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind, State
from lodestream_server.services.as_batch import Outlook, as_batch, as_submitted_batch
from lodestream_server.services.batch_watching import BatchWatcher
from lodestream_server.services.results import Results
from lodestream_server.services.runs_common import kept_urls, one_effect, type_of
from lodestream_server.services.tokens import Stream
from lodestream_server.services.watching import Pace, Streams
from lodestream_server.store.reading import Scope

_pb = batch_pb2
#: Documented for operations: two hours when left out.
_TIMEOUT_S = 7200.0


class BatchService(batch_pb2_grpc.BatchServiceServicer):
    """See the contract; every method raises what its comment there names."""

    def __init__(self, engine: Engine, results: Results, streams: Streams, pace: Pace) -> None:
        self._engine = engine
        self._results = results
        self._watcher = BatchWatcher(engine, streams, pace)

    async def SubmitBatch(self, request: _pb.SubmitBatchRequest, context: Any) -> _pb.SubmitBatchResponse:
        """Submits operations that form a directed acyclic graph, all or none."""
        here = call.current()
        state = await self._engine.groups.submit(_new_batch(here, request))
        return as_submitted_batch(state, await self._outlook(state))

    async def GetBatch(self, request: _pb.GetBatchRequest, context: Any) -> _pb.GetBatchResponse:
        """One batch as it is now."""
        return await self._shown(call.current().scope, request.batch_id)

    async def WatchBatch(self, request: _pb.WatchBatchRequest, context: Any) -> AsyncIterator[Any]:
        """One batch, live."""
        here, batch_id = call.current(), request.request.batch_id
        await self._engine.groups.get(here.scope, batch_id)
        stream = Stream.of(self._engine.store_id, here.method, request.request)

        async def shown() -> _pb.GetBatchResponse:
            return await self._shown(here.scope, batch_id)

        frames = self._watcher.watch(here.scope, batch_id, stream, shown, request.resume_token, replay=request.replay)
        async for frame in frames:
            yield frame

    async def CancelBatch(self, request: _pb.CancelBatchRequest, context: Any) -> _pb.CancelBatchResponse:
        """Stops what has not ended of a batch."""
        here = call.current()
        order = CancelOrder(here.by, request.reason, request.force_termination, request.preserve_partial_results)
        state = await self._engine.groups.cancel(here.scope, request.batch_id, order)
        stopped = [run for run in state.runs if run.state is State.CANCELLED]
        told = state.batch.cancel
        return _pb.CancelBatchResponse(
            batch_id=state.batch.batch_id,
            status=words.OPERATION_STATUSES[State.CANCELLED],
            cancellation_time=timestamp(max((run.ended for run in stopped if run.ended), default=None)),
            reason=(told.reason if told else "") or None,
            operations=[await self._receipt(here.scope, run) for run in stopped],
            cancelled_by=told.by if told else None,
        )

    async def _receipt(self, scope: Scope, run: RunState) -> operation_pb2.CancelOperationResponse:
        urls = await kept_urls(self._engine, scope, run)
        return as_cancelled_operation(run, urls, self._results.saved_usd(run))

    async def _shown(self, scope: Scope, batch_id: str) -> _pb.GetBatchResponse:
        state = await self._engine.groups.get(scope, batch_id)
        return as_batch(state, await self._outlook(state))

    async def _outlook(self, state: BatchState) -> Outlook:
        starts = {}
        for run in state.runs:
            place = await self._engine.queue_place(run.run_id) if run.state is State.QUEUED else None
            starts[run.run_id] = place.estimated_start if place else None
        return Outlook.of(state, starts, self._engine.clock.now())


def _new_batch(here: Call, request: _pb.SubmitBatchRequest) -> NewBatch:
    said = wire.to_dict(request)
    policy = request.failure_policy
    goes_on = policy.continue_independent_operations or not policy.HasField("continue_independent_operations")
    return NewBatch(
        scope=here.scope,
        name=request.batch_name,
        steps=tuple(
            NewStep(one.operation_key, _new_run(here, one, index), tuple(one.dependencies))
            for index, one in enumerate(request.operations)
        ),
        description=request.batch_description,
        submitted_by=here.by,
        policy=FailurePolicy(policy.stop_on_first_failure, goes_on),
        retry_failed=policy.retry_failed_operations,
        callbacks=said.get("batchCallbacks") or {},
        request=one_effect(here, request, request.request_id),
    )


def _new_run(here: Call, one: _pb.SubmitBatchRequest.Operation, index: int) -> NewRun:
    said = wire.to_dict(one)
    return NewRun(
        scope=here.scope,
        kind=RunKind.OPERATION,
        type=type_of(common_pb2.OperationType.DESCRIPTOR, one, "operation_type", f"operations[{index}]."),
        name=one.operation_name,
        priority=words.priority(one.priority),
        submitted_by=here.by,
        parameters=said.get("parameters") or {},
        timeout_s=seconds(one.timeout) if one.HasField("timeout") else _TIMEOUT_S,
        extras={"retryPolicy": said["retryPolicy"]} if said.get("retryPolicy") else {},
    )
