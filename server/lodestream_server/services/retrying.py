"""The parts of OperationService and JobService that try ended runs again."""

from collections.abc import Mapping
from typing import Any, Final

from lodestream import wire
from lodestream.errors import InvalidField, Violation
from lodestream.v1 import job_pb2, operation_pb2
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import Retried, RetryOrder
from lodestream_server.grpc_door import call
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.as_operation import resources_allocated
from lodestream_server.runs.shapes.common import completion
from lodestream_server.runs.shapes.values import duration_range, seconds, timestamp
from lodestream_server.runs.states import RunKind
from lodestream_server.services.runs_common import one_effect

#: Documented: as long as a scheduled job may take.
_MOST_MINUTES: Final = 10080


class OperationRetrying:
    """See the contract; every method raises what its comment there names."""

    _engine: Engine

    async def RetryOperation(
        self, request: operation_pb2.RetryOperationRequest, context: Any
    ) -> operation_pb2.RetryOperationResponse:
        """Starts a new operation from one that failed, timed out or was cancelled."""
        here, said = call.current(), wire.to_dict(request)
        order = RetryOrder(
            by=here.by,
            reason=request.retry_reason,
            take_over=request.retry_mode != operation_pb2.RETRY_MODE_RESTART,
            parameters=said.get("updatedParameters") if request.modify_parameters else None,
            timeout_s=seconds(request.new_timeout) if request.HasField("new_timeout") else None,
            policy=said.get("retryPolicy"),
            keep_original=request.preserve_original_results,
            request=one_effect(here, request, request.request_id),
        )
        retried = await self._engine.retrying.retry(here.scope, request.operation_id, order, RunKind.OPERATION)
        return _as_retried_operation(retried, take_over=order.take_over)


class JobRetrying:
    """See the contract; every method raises what its comment there names."""

    _engine: Engine

    async def RetryJob(self, request: job_pb2.RetryJobRequest, context: Any) -> job_pb2.RetryJobResponse:
        """Submits a new job from one that failed, timed out or was cancelled."""
        here, said = call.current(), wire.to_dict(request)
        updated = dict(said.get("updatedParameters") or {}) if request.modify_parameters else {}
        minutes = _take(updated, "timeoutMinutes", int, f"a whole number from 1 to {_MOST_MINUTES}")
        if minutes is not None and not 1 <= minutes <= _MOST_MINUTES:
            raise _misfit("timeoutMinutes", f"a whole number from 1 to {_MOST_MINUTES}")
        order = RetryOrder(
            by=here.by,
            reason=request.retry_reason,
            # Records are rejected while a stage reads them: to try them again, the stages must run again.
            take_over=not _take(updated, "retryFailedRecords", bool, "true or false"),
            double_memory=bool(_take(updated, "increaseMemoryLimit", bool, "true or false")),
            parameters=updated,
            timeout_s=None if minutes is None else 60.0 * minutes,
            priority=words.priority(request.priority) if request.priority else None,
            front=request.immediate_execution,
            request=one_effect(here, request, request.request_id),
        )
        retried = await self._engine.retrying.retry(here.scope, request.job_id, order, RunKind.JOB)
        return _as_retried_job(retried)


def _take(updated: dict[str, Any], key: str, kind: type, expected: str) -> Any:
    """The value of a key that is understood here, removed from what goes to the workload; null means absent."""
    value = updated.pop(key, None)
    if isinstance(value, float) and kind is int and value.is_integer():
        value = int(value)
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise _misfit(key, expected)
    return value


def _misfit(key: str, expected: str) -> InvalidField:
    return InvalidField.of(Violation(f"updated_parameters.{key}", f"must be {expected}"))


def _as_retried_operation(retried: Retried, *, take_over: bool) -> operation_pb2.RetryOperationResponse:
    run, submission = retried.submission.run, retried.submission
    start = submission.estimated_start or run.created
    resume = operation_pb2.RETRY_MODE_RESUME if take_over else operation_pb2.RETRY_MODE_RESTART
    return operation_pb2.RetryOperationResponse(
        original_operation_id=retried.origin.run_id,
        new_operation_id=run.run_id,
        retry_mode=resume,
        retry_number=run.retry_number,
        resume_from_phase=retried.first_phase,
        status=words.OPERATION_STATUSES[run.state],
        estimated_duration=duration_range(run.estimate),
        estimated_completion=timestamp(completion(start, run.estimate)),
        preserved_results=operation_pb2.RetryOperationResponse.PreservedResults(
            phases_preserved=len(retried.phases),
            records_processed=retried.records,
            progress_saved=retried.percent,
        ),
        resources_allocated=resources_allocated(run.resources, submission.estimated_cost_usd),
        retry_attempt_date=timestamp(run.created),
    )


def _as_retried_job(retried: Retried) -> job_pb2.RetryJobResponse:
    run, submission = retried.submission.run, retried.submission
    extras: Mapping[str, Any] = run.extras
    return job_pb2.RetryJobResponse(
        job_id=run.run_id,
        original_job_id=retried.origin.run_id,
        status=words.JOB_STATUSES[run.state],
        retry_number=run.retry_number,
        retry_reason=extras.get("retryReason"),
        queue_position=submission.queue_position or 0,
        estimated_start_time=timestamp(submission.estimated_start),
        estimated_duration=duration_range(run.estimate),
        job_name=run.name,
        job_type=words.job_type(run.type),
        custom_type=words.custom_type(run.type),
        priority=words.PRIORITIES[run.priority],
        date_submitted=timestamp(run.created),
        submitted_by=run.submitted_by,
    )
