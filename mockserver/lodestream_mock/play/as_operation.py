"""A run as the async API shows it."""

from lodestream.v1 import operation_pb2 as operation
from lodestream.v1.common_pb2 import OperationType, Priority, StageStatus
from lodestream_mock.play import typed
from lodestream_mock.play.as_job import error_of, estimated_completion, phases_done, stopped_by
from lodestream_mock.play.moment import Moment, moment, records, stage_percent, stage_status
from lodestream_mock.play.played import Played
from lodestream_mock.scenarios.story import Kind, Phase


def as_operation(played: Played, at: int) -> operation.GetOperationResponse:
    """GetOperation's answer."""
    story, run, now = played.story, played.run, moment(played, at)
    out = operation.GetOperationResponse(
        operation_id=run.run_id,
        **typed.type_of_work(OperationType.DESCRIPTOR, "operation_type", story.type),
        operation_name=story.name,
        status=typed.operation_status(now.state),
        progress=_progress(played, now),
        phases=[_phase(played, phase, now) for phase in story.phases],
        date_created=typed.instant(run.created),
        timeout_at=typed.instant(run.created + story.timeout),
        priority=typed.number(Priority.DESCRIPTOR, story.priority),
        error=error_of(played, now),
        attempt=1 if now.started is not None else None,
        original_operation_id=run.original_id or None,
    )
    if now.started is not None:
        out.execution.CopyFrom(_execution(played, now))
    if now.ended is not None:
        out.completion_time.CopyFrom(typed.instant(run.created + now.ended))
    return out


def as_operation_summary(played: Played, at: int) -> operation.OperationSummary:
    """An entry of ListOperations."""
    story, now = played.story, moment(played, at)
    out = operation.OperationSummary(
        operation_id=played.run.run_id,
        **typed.type_of_work(OperationType.DESCRIPTOR, "operation_type", story.type),
        operation_name=story.name,
        status=typed.operation_status(now.state),
        progress=now.percent,
        priority=typed.number(Priority.DESCRIPTOR, story.priority),
        estimated_completion=estimated_completion(played, now),
    )
    if now.started is not None:
        out.start_time.CopyFrom(typed.instant(played.run.created + now.started))
    if now.running and now.phase:
        out.current_phase = now.phase.name
        if now.usage:
            out.resource_usage.cpu_percent = now.usage.cpu
            out.resource_usage.memory_bytes = now.usage.memory
    if now.ended is not None:
        out.end_time.CopyFrom(typed.instant(played.run.created + now.ended))
        out.duration.CopyFrom(typed.duration(now.elapsed))
        out.records_processed = max((phase.records or 0 for phase in story.phases), default=0)
    return out


def operation_receipt(played: Played) -> operation.CancelOperationResponse:
    """The receipt of an operation that was cancelled."""
    run, end = played.run, played.end
    before = moment(played, end.at)
    done = phases_done(played)
    return operation.CancelOperationResponse(
        operation_id=run.run_id,
        status=typed.operation_status(end.state),
        cancellation_time=typed.instant(run.created + end.at),
        reason=end.text or None,
        progress_at_cancellation=before.percent,
        phase_at_cancellation=before.phase.name if before.phase else None,
        partial_results=operation.CancelOperationResponse.PartialResults(available=done > 0, completed_phases=done),
        resources_released=operation.CancelOperationResponse.ResourcesReleased(
            cpu_units=played.story.cpu_units, memory_gb=played.story.memory_gb
        ),
        cancelled_by=end.by or None,
        stopped_by=stopped_by(played, before),
        took=typed.duration(0),
    )


def _progress(played: Played, now: Moment) -> operation.GetOperationResponse.Progress:
    done = sum(
        1 for phase in played.story.phases if stage_status(played, phase, now) == StageStatus.STAGE_STATUS_COMPLETED
    )
    out = operation.GetOperationResponse.Progress(
        percentage=now.percent,
        current_phase=now.phase.name if now.phase else "",
        phases_completed=done,
        total_phases=len(played.story.phases),
        elapsed=typed.duration(now.elapsed),
        estimated_completion=estimated_completion(played, now),
    )
    if now.started is not None:
        out.start_time.CopyFrom(typed.instant(played.run.created + now.started))
    if now.ended is None:
        left = played.planned_end - now.at
        out.estimated_remaining.CopyFrom(typed.span(left, left))
    return out


def _execution(played: Played, now: Moment) -> operation.GetOperationResponse.Execution:
    out = operation.GetOperationResponse.Execution(
        execution_id=played.story.execution_id or f"exec-{played.run.run_id}",
        worker_node=played.story.worker,
        processed_records=records(now.phase, now.phase_percent) if now.phase else 0,
        total_records=now.phase.records if now.phase else None,
    )
    if now.usage:
        out.resource_usage.cpu_percent = now.usage.cpu
        out.resource_usage.memory_bytes = now.usage.memory
        out.records_per_minute = now.usage.rate * 60
    return out


def _phase(played: Played, phase: Phase, now: Moment) -> operation.OperationPhase:
    created, status = played.run.created, stage_status(played, phase, now)
    out = operation.OperationPhase(phase_name=phase.name, status=status)
    if status == StageStatus.STAGE_STATUS_PENDING:
        if now.ended is None:
            out.estimated_start_time.CopyFrom(typed.instant(created + phase.starts))
            out.estimated_duration.CopyFrom(typed.span(phase.ends - phase.starts, phase.ends - phase.starts))
        return out
    out.start_time.CopyFrom(typed.instant(created + phase.starts))
    if status == StageStatus.STAGE_STATUS_RUNNING:
        out.progress = stage_percent(phase, now)
        out.current_activity = phase.activity
        return out
    ended = min(phase.ends, played.end.at)
    out.end_time.CopyFrom(typed.instant(created + ended))
    out.duration.CopyFrom(typed.duration(ended - phase.starts))
    if status != StageStatus.STAGE_STATUS_COMPLETED:
        return out
    if phase.records is not None:
        out.records_processed = phase.records
    if results := typed.struct(phase.results):
        out.results.CopyFrom(results)
    if validation := typed.struct(phase.validation):
        out.validation_results.CopyFrom(validation)
    return out


def retryable(played: Played, at: int) -> bool:
    """True when the run has ended otherwise than by completing."""
    return at >= played.end.at and played.end.kind is not Kind.COMPLETED
