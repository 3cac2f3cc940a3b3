"""A run as the tracking API shows it: progress, logs, and a glance at it among others."""

from lodestream.v1 import common_pb2 as common
from lodestream.v1 import tracking_pb2 as tracking
from lodestream.v1.common_pb2 import LogLevel, Priority, StageStatus
from lodestream_mock.play import typed
from lodestream_mock.play.as_job import estimated_completion
from lodestream_mock.play.moment import Moment, counts, moment, records, stage_percent, stage_status
from lodestream_mock.play.played import Played
from lodestream_mock.scenarios.story import Happening, Kind, Phase


def as_progress(played: Played, at: int) -> tracking.GetJobProgressResponse:
    """GetJobProgress' answer."""
    now = moment(played, at)
    levels = counts(played, now)
    out = tracking.GetJobProgressResponse(
        job_id=played.run.run_id,
        job_name=played.story.name,
        status=typed.job_status(now.state),
        overall_progress=tracking.GetJobProgressResponse.OverallProgress(
            percentage=now.percent,
            elapsed=typed.duration(now.elapsed),
            estimated_remaining=typed.duration(played.planned_end - at) if now.ended is None else None,
            estimated_completion=estimated_completion(played, now),
        ),
        stages=[_stage(played, phase, order, now) for order, phase in enumerate(played.story.phases, 1)],
        quality_metrics=tracking.GetJobProgressResponse.QualityMetrics(
            warnings_generated=levels["WARN"], errors_encountered=levels["ERROR"]
        ),
    )
    if now.started is not None:
        out.overall_progress.start_time.CopyFrom(typed.instant(played.run.created + now.started))
    if now.running and now.phase:
        activity = common.CurrentActivity(component=now.phase.component, operation=now.phase.activity)
        out.current_activity.CopyFrom(activity)
    if now.usage and now.running:
        out.resource_usage.memory_bytes = now.usage.memory
        out.resource_usage.cpu_percent = now.usage.cpu
        out.resource_usage.records_per_second = now.usage.rate
        out.resource_usage.memory_limit_bytes = int(played.story.memory_gb * 1_000_000_000)
    return out


def _stage(played: Played, phase: Phase, order: int, now: Moment) -> tracking.JobStage:
    created, status = played.run.created, stage_status(played, phase, now)
    percent = stage_percent(phase, now)
    out = tracking.JobStage(stage_name=phase.name, stage_order=order, status=status, progress=percent)
    if status == StageStatus.STAGE_STATUS_PENDING:
        if now.ended is None:
            out.estimated_start_time.CopyFrom(typed.instant(created + phase.starts))
            out.estimated_end_time.CopyFrom(typed.instant(created + phase.ends))
        return out
    out.start_time.CopyFrom(typed.instant(created + phase.starts))
    if phase.records is not None:
        out.records_processed = records(phase, percent)
    if metrics := typed.struct(phase.metrics):
        out.metrics.CopyFrom(metrics)
    if status == StageStatus.STAGE_STATUS_RUNNING:
        out.estimated_end_time.CopyFrom(typed.instant(created + phase.ends))
        if phase.records is not None:
            out.total_records = phase.records
        return out
    ended = min(phase.ends, played.end.at)
    out.end_time.CopyFrom(typed.instant(created + ended))
    out.duration.CopyFrom(typed.duration(ended - phase.starts))
    return out


def as_logs(played: Played, at: int) -> tracking.GetJobLogsResponse:
    """GetJobLogs' answer with every line so far, whatever its level."""
    now = moment(played, at)
    levels = counts(played, now)
    lines = [item for item in played.happenings[: now.sequence] if item.kind is Kind.LOG]
    created = played.run.created
    out = tracking.GetJobLogsResponse(
        job_id=played.run.run_id,
        job_name=played.story.name,
        job_status=typed.job_status(now.state),
        logs_summary=tracking.GetJobLogsResponse.LogsSummary(
            total_entries=len(lines),
            debug_entries=levels["DEBUG"],
            info_entries=levels["INFO"],
            warn_entries=levels["WARN"],
            error_entries=levels["ERROR"],
        ),
        logs=[as_log_entry(item, created) for item in lines],
        execution_metrics=tracking.GetJobLogsResponse.ExecutionMetrics(
            current_stage=now.phase.name if now.phase else None,
            stage_progress=now.phase_percent if now.phase else None,
            overall_progress=now.percent,
            estimated_completion=estimated_completion(played, now),
        ),
    )
    if lines:
        out.logs_summary.time_range.start_time.CopyFrom(typed.instant(created + lines[0].at))
        out.logs_summary.time_range.end_time.CopyFrom(typed.instant(created + lines[-1].at))
    if now.usage and now.running:
        out.execution_metrics.records_per_second = now.usage.rate
        out.execution_metrics.memory_bytes = now.usage.memory
        out.execution_metrics.cpu_percent = now.usage.cpu
    return out


def as_log_entry(item: Happening, created: int) -> common.LogEntry:
    """One line."""
    return common.LogEntry(
        timestamp=typed.instant(created + item.at),
        level=typed.number(LogLevel.DESCRIPTOR, item.level),
        component=item.component or None,
        stage=item.phase or None,
        message=item.text,
        details=typed.struct(item.details),
    )


def as_tracked(played: Played, at: int) -> tracking.TrackJobsResponse.TrackedJob:
    """An entry of TrackJobs."""
    story, now = played.story, moment(played, at)
    out = tracking.TrackJobsResponse.TrackedJob(
        job_id=played.run.run_id,
        job_name=story.name,
        status=typed.job_status(now.state),
        progress=now.percent,
        estimated_completion=estimated_completion(played, now),
        current_stage=now.phase.name if now.phase else None,
        submitted_by=story.submitted_by,
        priority=typed.number(Priority.DESCRIPTOR, story.priority),
    )
    if now.started is None:
        out.estimated_start_time.CopyFrom(typed.instant(played.run.created + story.waits))
    else:
        out.start_time.CopyFrom(typed.instant(played.run.created + now.started))
    if now.usage and now.running:
        usage = tracking.TrackJobsResponse.ResourceUsage(
            cpu_percent=now.usage.cpu, memory_bytes=now.usage.memory, records_per_second=now.usage.rate
        )
        out.resource_usage.CopyFrom(usage)
    return out


def as_progress_event(played: Played, index: int) -> tracking.JobProgressEvent:
    """The change of status, stage or percentage that happening number `index + 1` was."""
    item = played.happenings[index]
    now = moment(played, item.at)
    out = tracking.JobProgressEvent(
        sequence=index + 1,
        timestamp=typed.instant(played.run.created + item.at),
        status=typed.job_status(now.state),
        percentage=now.percent,
        current_stage=now.phase.name if now.phase else None,
        stage_progress=now.phase_percent if now.phase else None,
        estimated_completion=estimated_completion(played, now),
    )
    if now.phase and now.phase.records is not None:
        out.records_processed = records(now.phase, now.phase_percent)
        out.total_records = now.phase.records
        out.activity = now.phase.activity
    if now.usage and now.running:
        out.records_per_second = now.usage.rate
    return out
