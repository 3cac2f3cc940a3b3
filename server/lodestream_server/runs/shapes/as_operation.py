"""A run as an operation of the async API."""

from datetime import datetime

from lodestream.v1 import common_pb2, operation_pb2
from lodestream_server.runs.bodies import Range, Resources
from lodestream_server.runs.progress import Progress, StageProgress
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.common import api, counted, error_of, name_of, phase_shown, stopped_by, took_s
from lodestream_server.runs.shapes.values import (
    duration,
    duration_range,
    gigabytes,
    money,
    percent,
    struct_or_none,
    timestamp,
)
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import PhaseStatus

_pb = operation_pb2


def as_started_operation(
    run: RunState, completion: datetime | None, cost_usd: float | None, callbacks: int
) -> _pb.StartOperationResponse:
    """The answer to a start; `callbacks` is how many addresses will be called."""
    return _pb.StartOperationResponse(
        operation_id=run.run_id,
        operation_type=words.operation_type(run.type),
        custom_type=words.custom_type(run.type),
        operation_name=run.name,
        status=words.OPERATION_STATUSES[run.state],
        estimated_duration=duration_range(run.estimate),
        estimated_completion=timestamp(completion),
        tracking_url=f"{api(run)}/async/operation/{run.run_id}",
        webhooks_registered=callbacks,
        priority=words.PRIORITIES[run.priority],
        date_created=timestamp(run.created),
        timeout_at=timestamp(run.deadline),
        resources_allocated=resources_allocated(run.resources, cost_usd),
    )


def as_operation(
    run: RunState,
    view: Progress,
    estimated_completion: datetime | None = None,
    callbacks: _pb.GetOperationResponse.Callbacks | None = None,
) -> _pb.GetOperationResponse:
    """The operation as it is now; `estimated_completion` is for one that waits in the queue, `callbacks` for one that
    asked to be told."""
    return _pb.GetOperationResponse(
        operation_id=run.run_id,
        operation_type=words.operation_type(run.type),
        custom_type=words.custom_type(run.type),
        operation_name=run.name,
        status=words.OPERATION_STATUSES[run.state],
        progress=_pb.GetOperationResponse.Progress(
            percentage=percent(run.percent),
            current_phase=name_of(phase_shown(run)),
            phases_completed=counted(run.phases, PhaseStatus.COMPLETED),
            total_phases=len(run.phases),
            start_time=timestamp(run.started),
            elapsed=duration(view.elapsed_s),
            estimated_remaining=_remaining(view.remaining_s),
            estimated_completion=timestamp(view.estimated_completion or estimated_completion),
        ),
        execution=_execution(run) if run.started else None,
        phases=[_phase(stage) for stage in view.stages],
        callbacks=callbacks,
        date_created=timestamp(run.created),
        timeout_at=timestamp(run.deadline),
        priority=words.PRIORITIES[run.priority],
        completion_time=timestamp(run.ended),
        error=error_of(run),
        attempt=run.attempt or None,
        original_operation_id=run.origin or None,
    )


def as_operation_summary(run: RunState, view: Progress, *, details: bool) -> _pb.OperationSummary:
    """The operation in a list; `details` adds use, phase and records."""
    made = _pb.OperationSummary(
        operation_id=run.run_id,
        operation_type=words.operation_type(run.type),
        custom_type=words.custom_type(run.type),
        operation_name=run.name,
        status=words.OPERATION_STATUSES[run.state],
        progress=percent(run.percent),
        priority=words.PRIORITIES[run.priority],
        start_time=timestamp(run.started),
        end_time=timestamp(run.ended),
        duration=duration(took_s(run)),
        estimated_completion=timestamp(view.estimated_completion),
    )
    if details:
        shown = phase_shown(run)
        _detail(made, run, name_of(shown), shown.done if shown else None)
    return made


def as_cancelled_operation(
    run: RunState, download_urls: list[str], saved_usd: float | None = None
) -> _pb.CancelOperationResponse:
    """The receipt of a cancelled operation; `saved_usd` is what it would still have cost."""
    receipt, request = run.receipt, run.cancel
    assert receipt is not None  # CANCELLED has one
    kept = len(receipt.phases_kept)
    return _pb.CancelOperationResponse(
        operation_id=run.run_id,
        status=words.OPERATION_STATUSES[run.state],
        cancellation_time=timestamp(run.ended),
        reason=(request.reason if request else "") or None,
        progress_at_cancellation=percent(run.percent),
        phase_at_cancellation=name_of(phase_shown(run)),
        partial_results=_pb.CancelOperationResponse.PartialResults(
            available=kept > 0, completed_phases=kept, download_urls=download_urls
        ),
        resources_released=_released(receipt.released, saved_usd) if receipt.released else None,
        cancelled_by=request.by if request else None,
        stopped_by=stopped_by(receipt.rung),
        took=duration(receipt.took_s),
    )


def resources_allocated(resources: Resources, cost_usd: float | None) -> _pb.ResourcesAllocated:
    """What a run may use, and what that is expected to cost."""
    return _pb.ResourcesAllocated(
        cpu_units=max(1, round(resources.cpu_units)),
        memory_gb=gigabytes(resources.memory_bytes),
        estimated_cost=money(cost_usd),
    )


def _released(resources: Resources, saved_usd: float | None) -> _pb.CancelOperationResponse.ResourcesReleased:
    return _pb.CancelOperationResponse.ResourcesReleased(
        cpu_units=max(1, round(resources.cpu_units)),
        memory_gb=gigabytes(resources.memory_bytes),
        cost_saved=money(saved_usd),
    )


def _remaining(seconds: float | None) -> common_pb2.DurationRange | None:
    return None if seconds is None else duration_range(Range(seconds, seconds))


def _execution(run: RunState) -> _pb.GetOperationResponse.Execution:
    shown, sample = phase_shown(run), run.sample
    rate = shown.rate if shown and run.at_work else None
    return _pb.GetOperationResponse.Execution(
        execution_id=run.execution_id,
        worker_node=run.node,
        resource_usage=_pb.GetOperationResponse.ResourceUsage(
            cpu_percent=percent(sample.cpu_percent), memory_bytes=sample.rss_bytes, disk_bytes=sample.disk_bytes
        )
        if sample
        else None,
        processed_records=shown.done if shown else None,
        total_records=shown.total if shown else None,
        records_per_minute=None if rate is None else round(rate * 60, 1),
    )


def _phase(stage: StageProgress) -> _pb.OperationPhase:
    phase = stage.phase
    running = phase.status is PhaseStatus.RUNNING
    ended = phase.ended is not None
    validates = phase.name.endswith("Validation")
    return _pb.OperationPhase(
        phase_name=phase.name,
        status=words.STAGE_STATUSES[phase.status],
        start_time=timestamp(phase.started),
        end_time=timestamp(phase.ended),
        duration=duration(stage.duration_s) if ended else None,
        records_processed=phase.records if ended else phase.done,
        validation_results=struct_or_none(phase.metrics) if validates else None,
        results=None if validates else struct_or_none(phase.metrics),
        progress=percent(phase.percent) if running else None,
        current_activity=phase.activity if running else None,
        models_training=_whole(phase.metrics.get("modelsTraining")),
        models_completed=_whole(phase.metrics.get("modelsCompleted")),
        estimated_start_time=timestamp(stage.estimated_start),
        estimated_duration=_expected(stage),
    )


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _expected(stage: StageProgress) -> common_pb2.DurationRange | None:
    if stage.estimated_start is None or stage.estimated_end is None:
        return None
    seconds = (stage.estimated_end - stage.estimated_start).total_seconds()
    return duration_range(Range(seconds, seconds))


def _detail(made: _pb.OperationSummary, run: RunState, phase: str | None, records: int | None) -> None:
    if phase is not None:
        made.current_phase = phase
    if records is not None:
        made.records_processed = records
    if run.sample:
        usage = _pb.OperationSummary.ResourceUsage(
            cpu_percent=percent(run.sample.cpu_percent), memory_bytes=run.sample.rss_bytes
        )
        made.resource_usage.CopyFrom(usage)
