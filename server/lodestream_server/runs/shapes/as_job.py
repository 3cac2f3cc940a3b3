"""A run as a job of the execution API."""

from datetime import datetime

from lodestream.v1 import job_pb2
from lodestream_server.runs.bodies import ResourceRef, Resources
from lodestream_server.runs.progress import Progress
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.common import error_of, name_of, phase_shown, stopped_by, took_s
from lodestream_server.runs.shapes.values import duration, duration_range, gigabytes, percent, timestamp
from lodestream_server.runs.state import RunState

_pb = job_pb2


def as_submitted_job(run: RunState, queue_position: int, estimated_start: datetime | None) -> _pb.SubmitJobResponse:
    """The answer to a submission."""
    return _pb.SubmitJobResponse(
        job_id=run.run_id,
        status=words.JOB_STATUSES[run.state],
        queue_position=queue_position,
        estimated_start_time=timestamp(estimated_start),
        estimated_duration=duration_range(run.estimate),
        job_name=run.name,
        priority=words.PRIORITIES[run.priority],
        date_submitted=timestamp(run.created),
        submitted_by=run.submitted_by,
    )


def as_job(
    run: RunState,
    view: Progress,
    queue_position: int | None = None,
    estimated_start: datetime | None = None,
    estimated_completion: datetime | None = None,
) -> _pb.GetJobResponse:
    """The job as it is now; the last three are for one that waits in the queue."""
    return _pb.GetJobResponse(
        job_id=run.run_id,
        project_id=run.project_id,
        job_type=words.job_type(run.type),
        custom_type=words.custom_type(run.type),
        job_name=run.name,
        job_description=run.description or None,
        status=words.JOB_STATUSES[run.state],
        priority=words.PRIORITIES[run.priority],
        progress=_pb.GetJobResponse.Progress(
            percentage=percent(run.percent),
            current_stage=name_of(phase_shown(run)),
            estimated_completion=timestamp(view.estimated_completion or estimated_completion),
            elapsed=duration(view.elapsed_s),
        ),
        resource=_resource(run.resource) if run.resource else None,
        execution=_execution(run) if run.started else None,
        metrics=_metrics(run) if run.started else None,
        date_created=timestamp(run.created),
        last_updated=timestamp(run.updated),
        completion_time=timestamp(run.ended),
        error=error_of(run),
        queue_position=queue_position,
        estimated_start_time=timestamp(estimated_start),
        timeout_at=timestamp(run.deadline),
        attempt=run.attempt or None,
        original_job_id=run.origin or None,
    )


def as_job_summary(run: RunState, view: Progress) -> _pb.JobSummary:
    """The job in a list."""
    return _pb.JobSummary(
        job_id=run.run_id,
        job_type=words.job_type(run.type),
        custom_type=words.custom_type(run.type),
        job_name=run.name,
        status=words.JOB_STATUSES[run.state],
        priority=words.PRIORITIES[run.priority],
        progress=percent(run.percent),
        start_time=timestamp(run.started),
        end_time=timestamp(run.ended),
        duration=duration(took_s(run)),
        estimated_completion=timestamp(view.estimated_completion),
        submitted_by=run.submitted_by,
        resource_name=run.resource.name or None if run.resource else None,
    )


def as_cancelled_job(run: RunState, download_urls: list[str]) -> _pb.CancelJobResponse:
    """The receipt of a cancelled job."""
    receipt, request = run.receipt, run.cancel
    assert receipt is not None  # CANCELLED has one
    kept = len(receipt.phases_kept)
    return _pb.CancelJobResponse(
        job_id=run.run_id,
        status=words.JOB_STATUSES[run.state],
        cancellation_time=timestamp(run.ended),
        reason=(request.reason if request else "") or None,
        progress_at_cancellation=percent(run.percent),
        stage_at_cancellation=name_of(phase_shown(run)),
        partial_results=_pb.CancelJobResponse.PartialResults(
            available=kept > 0, completed_stages=kept, download_urls=download_urls
        ),
        resources_released=_released(receipt.released) if receipt.released else None,
        cancelled_by=request.by if request else None,
        stopped_by=stopped_by(receipt.rung),
        took=duration(receipt.took_s),
    )


def _released(resources: Resources) -> _pb.CancelJobResponse.ResourcesReleased:
    return _pb.CancelJobResponse.ResourcesReleased(
        cpu_units=max(1, round(resources.cpu_units)), memory_gb=gigabytes(resources.memory_bytes)
    )


def _resource(resource: ResourceRef) -> _pb.JobResource:
    return _pb.JobResource(
        resource_type=resource.type or None, resource_id=resource.id or None, resource_name=resource.name or None
    )


def _execution(run: RunState) -> _pb.GetJobResponse.Execution:
    sample = run.sample
    return _pb.GetJobResponse.Execution(
        start_time=timestamp(run.started),
        submitted_by=run.submitted_by,
        execution_node=run.node,
        memory_bytes=sample.rss_bytes if sample else None,
        cpu_percent=percent(sample.cpu_percent) if sample else None,
        disk_bytes=sample.disk_bytes if sample else None,
    )


def _metrics(run: RunState) -> _pb.GetJobResponse.Metrics:
    shown = phase_shown(run)
    return _pb.GetJobResponse.Metrics(
        records_processed=(shown.done or 0) if shown else 0,
        total_records=shown.total if shown else None,
        error_count=run.logs.error,
        warning_count=run.logs.warn,
        records_per_second=round(shown.rate, 1) if shown and shown.rate is not None else None,
    )
