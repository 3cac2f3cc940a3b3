"""A run as the execution API shows it."""

from google.protobuf.timestamp_pb2 import Timestamp

from lodestream.v1 import common_pb2 as common
from lodestream.v1 import job_pb2 as job
from lodestream.v1.common_pb2 import JobType, Priority, RunState
from lodestream_mock.play import typed
from lodestream_mock.play.moment import Moment, counts, moment, records
from lodestream_mock.play.played import Played


def as_job(played: Played, at: int) -> job.GetJobResponse:
    """GetJob's answer."""
    story, run, now = played.story, played.run, moment(played, at)
    out = job.GetJobResponse(
        job_id=run.run_id,
        project_id=run.project_id or None,
        **typed.type_of_work(JobType.DESCRIPTOR, "job_type", story.type),
        job_name=story.name,
        job_description=story.description or None,
        status=typed.job_status(now.state),
        priority=typed.number(Priority.DESCRIPTOR, story.priority),
        progress=job.GetJobResponse.Progress(
            percentage=now.percent,
            current_stage=now.phase.name if now.phase else "",
            estimated_completion=estimated_completion(played, now),
            elapsed=typed.duration(now.elapsed),
        ),
        metrics=_metrics(played, now),
        date_created=typed.instant(run.created),
        last_updated=last_updated(played, now),
        error=error_of(played, now),
        attempt=1 if now.started is not None else None,
        original_job_id=run.original_id or None,
        timeout_at=typed.instant(run.created + story.timeout),
    )
    if story.resource:
        out.resource.CopyFrom(job.JobResource(**{_SNAKE[key]: value for key, value in story.resource.items()}))
    if now.started is not None:
        out.execution.CopyFrom(_execution(played, now))
    else:
        out.estimated_start_time.CopyFrom(typed.instant(run.created + story.waits))
    if now.ended is not None:
        out.completion_time.CopyFrom(typed.instant(run.created + now.ended))
    return out


def as_job_summary(played: Played, at: int) -> job.JobSummary:
    """An entry of ListJobs."""
    story, now = played.story, moment(played, at)
    out = job.JobSummary(
        job_id=played.run.run_id,
        **typed.type_of_work(JobType.DESCRIPTOR, "job_type", story.type),
        job_name=story.name,
        status=typed.job_status(now.state),
        priority=typed.number(Priority.DESCRIPTOR, story.priority),
        progress=now.percent,
        submitted_by=story.submitted_by,
        resource_name=story.resource.get("resourceName"),
        estimated_completion=estimated_completion(played, now),
    )
    if now.started is not None:
        out.start_time.CopyFrom(typed.instant(played.run.created + now.started))
    if now.ended is not None:
        out.end_time.CopyFrom(typed.instant(played.run.created + now.ended))
        out.duration.CopyFrom(typed.duration(now.elapsed))
    return out


def job_receipt(played: Played) -> job.CancelJobResponse:
    """The receipt of a job that was cancelled."""
    run, end = played.run, played.end
    before = moment(played, end.at)
    done = phases_done(played)
    return job.CancelJobResponse(
        job_id=run.run_id,
        status=typed.job_status(end.state),
        cancellation_time=typed.instant(run.created + end.at),
        reason=end.text or None,
        progress_at_cancellation=before.percent,
        stage_at_cancellation=before.phase.name if before.phase else None,
        partial_results=job.CancelJobResponse.PartialResults(available=done > 0, completed_stages=done),
        resources_released=job.CancelJobResponse.ResourcesReleased(
            cpu_units=played.story.cpu_units, memory_gb=played.story.memory_gb
        ),
        cancelled_by=end.by or None,
        stopped_by=stopped_by(played, before),
        took=typed.duration(0),
    )


def phases_done(played: Played) -> int:
    """Phases that had finished when the run ended."""
    return sum(1 for phase in played.story.phases if phase.ends <= played.end.at and not phase.fails)


def stopped_by(played: Played, before: Moment) -> str:
    """What stopped the work."""
    if before.started is None:
        return "NONE"
    return "SIGKILL" if played.run.cancelled and played.run.cancelled.force else "FLAG"


def estimated_completion(played: Played, now: Moment) -> Timestamp | None:
    """When the script says it will be done; unset after the end."""
    return typed.instant(played.run.created + played.planned_end) if now.ended is None else None


def last_updated(played: Played, now: Moment) -> Timestamp:
    """When something last happened."""
    at = played.happenings[now.sequence - 1].at if now.sequence else 0
    return typed.instant(played.run.created + at)


def error_of(played: Played, now: Moment) -> common.RunError | None:
    """Why the run failed; unset unless it did."""
    error = played.end.error
    if now.ended is None or error is None:
        return None
    return typed.run_error(error.reason, error.message, now.phase.name if now.phase else "")


def _execution(played: Played, now: Moment) -> job.GetJobResponse.Execution:
    usage = now.usage
    return job.GetJobResponse.Execution(
        start_time=typed.instant(played.run.created + (now.started or 0)),
        submitted_by=played.story.submitted_by,
        execution_node=played.story.worker,
        memory_bytes=usage.memory if usage else None,
        cpu_percent=usage.cpu if usage else None,
    )


def _metrics(played: Played, now: Moment) -> job.GetJobResponse.Metrics:
    levels, phase = counts(played, now), now.phase
    return job.GetJobResponse.Metrics(
        records_processed=records(phase, now.phase_percent) if phase else 0,
        total_records=phase.records if phase else None,
        error_count=levels["ERROR"],
        warning_count=levels["WARN"],
        records_per_second=now.usage.rate if now.usage and now.state == RunState.RUN_STATE_RUNNING else None,
    )


_SNAKE = {"resourceType": "resource_type", "resourceId": "resource_id", "resourceName": "resource_name"}
