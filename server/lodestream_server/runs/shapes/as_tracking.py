"""A run's progress, log and timeline as the tracking service shows them: the whole, and item by item for streams."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from lodestream.v1 import common_pb2, tracking_pb2
from lodestream_server.runs import bodies
from lodestream_server.runs.entries import Entry
from lodestream_server.runs.events import Event
from lodestream_server.runs.logs import Line
from lodestream_server.runs.progress import Progress, StageProgress, remaining_s
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.common import name_of, phase_shown
from lodestream_server.runs.shapes.values import duration, percent, struct_or_none, timestamp
from lodestream_server.runs.state import PhaseState, RunState
from lodestream_server.runs.timeline import Upcoming

_pb = tracking_pb2

#: The kinds of events that change status, stage or percentage.
PROGRESS_KINDS: Final = frozenset(
    body.KIND
    for body in (
        bodies.Submitted,
        bodies.Blocked,
        bodies.Scheduled,
        bodies.Queued,
        bodies.Started,
        bodies.PhaseStarted,
        bodies.Progressed,
        bodies.PhaseCompleted,
        bodies.Requeued,
        bodies.RetryPlanned,
        bodies.Completed,
        bodies.Failed,
        bodies.Cancelled,
        bodies.TimedOut,
    )
)


def as_progress(run: RunState, view: Progress, component: str | None) -> _pb.GetJobProgressResponse:
    """Progress of the run, stage by stage; `component` is the part of the workload at work."""
    shown = phase_shown(run)
    return _pb.GetJobProgressResponse(
        job_id=run.run_id,
        job_name=run.name,
        status=words.JOB_STATUSES[run.state],
        overall_progress=_pb.GetJobProgressResponse.OverallProgress(
            percentage=percent(run.percent),
            start_time=timestamp(run.started),
            elapsed=duration(view.elapsed_s),
            estimated_remaining=duration(view.remaining_s),
            estimated_completion=timestamp(view.estimated_completion),
        ),
        stages=[_stage(stage) for stage in view.stages],
        current_activity=_activity(run.current, component) if run.at_work and run.current else None,
        resource_usage=_usage(run, shown) if run.sample else None,
        quality_metrics=_quality(run) if run.started else None,
    )


def as_progress_event(event: Event, after: RunState) -> _pb.JobProgressEvent:
    """A change of status, stage or percentage; `after` is the run folded up to and with it."""
    shown, left = phase_shown(after), remaining_s(after, event.time)
    return _pb.JobProgressEvent(
        sequence=event.sequence,
        timestamp=timestamp(event.time),
        status=words.JOB_STATUSES[after.state],
        percentage=percent(after.percent),
        current_stage=name_of(shown),
        stage_progress=percent(shown.percent) if shown else None,
        records_processed=shown.done if shown else None,
        total_records=shown.total if shown else None,
        records_per_second=shown.rate if shown else None,
        activity=shown.activity if shown else None,
        estimated_completion=timestamp(event.time + timedelta(seconds=left)) if left is not None else None,
    )


def as_logs(run: RunState, view: Progress, lines: Sequence[Line]) -> _pb.GetJobLogsResponse:
    """Log lines of the run and counts of all of them."""
    counts, shown, sample = run.logs, phase_shown(run), run.sample
    return _pb.GetJobLogsResponse(
        job_id=run.run_id,
        job_name=run.name,
        job_status=words.JOB_STATUSES[run.state],
        logs_summary=_pb.GetJobLogsResponse.LogsSummary(
            total_entries=counts.total,
            debug_entries=counts.debug,
            info_entries=counts.info,
            warn_entries=counts.warn,
            error_entries=counts.error,
            time_range=_pb.GetJobLogsResponse.TimeRange(
                start_time=timestamp(counts.first), end_time=timestamp(counts.last)
            )
            if counts.first
            else None,
        ),
        logs=[as_log_entry(line) for line in lines],
        execution_metrics=_pb.GetJobLogsResponse.ExecutionMetrics(
            current_stage=name_of(shown),
            stage_progress=percent(shown.percent) if shown else None,
            overall_progress=percent(run.percent),
            records_per_second=view.rate,
            memory_bytes=sample.rss_bytes if sample else None,
            cpu_percent=percent(sample.cpu_percent) if sample else None,
            estimated_completion=timestamp(view.estimated_completion),
        )
        if run.started
        else None,
    )


def as_log_entry(line: Line) -> common_pb2.LogEntry:
    """A line of the log."""
    return common_pb2.LogEntry(
        timestamp=timestamp(line.time),
        level=words.LEVELS[line.level],
        component=line.component or None,
        stage=line.phase or None,
        message=line.message,
        details=struct_or_none(line.details),
    )


def as_timeline(
    run: RunState,
    entries: Sequence[Entry],
    upcoming: Sequence[Upcoming],
    granularity: _pb.TimelineGranularity.ValueType,
    now: datetime,
) -> _pb.GetJobTimelineResponse:
    """What happened to the run and what should come."""
    return _pb.GetJobTimelineResponse(
        job_id=run.run_id,
        job_name=run.name,
        timeline_scope=_pb.GetJobTimelineResponse.TimelineScope(
            start_time=timestamp(run.started),
            current_time=timestamp(now),
            end_time=timestamp(run.ended),
            granularity=granularity,
        ),
        timeline=[as_timeline_entry(entry) for entry in entries],
        upcoming_events=[
            _pb.GetJobTimelineResponse.UpcomingEvent(
                estimated_time=timestamp(item.time),
                event_type=_pb.TimelineEventType.Value(f"TIMELINE_EVENT_TYPE_{item.moment}"),
                description=item.description,
            )
            for item in upcoming
        ],
    )


def as_timeline_entry(entry: Entry) -> _pb.TimelineEvent:
    """An entry of the timeline."""
    return _pb.TimelineEvent(
        timestamp=timestamp(entry.time),
        event_type=_pb.TimelineEventType.Value(f"TIMELINE_EVENT_TYPE_{entry.moment}"),
        description=entry.description,
        details=struct_or_none(entry.details),
    )


def _stage(stage: StageProgress) -> _pb.JobStage:
    phase = stage.phase
    return _pb.JobStage(
        stage_name=phase.name,
        stage_order=phase.order,
        status=words.STAGE_STATUSES[phase.status],
        progress=percent(phase.percent),
        start_time=timestamp(phase.started),
        end_time=timestamp(phase.ended),
        duration=duration(stage.duration_s) if phase.ended else None,
        estimated_start_time=timestamp(stage.estimated_start),
        estimated_end_time=timestamp(stage.estimated_end),
        records_processed=phase.done,
        total_records=phase.total,
        metrics=struct_or_none(phase.metrics),
    )


def _activity(phase: PhaseState, component: str | None) -> common_pb2.CurrentActivity:
    done = f"{phase.done:,} of {phase.total:,} records" if phase.done is not None and phase.total else None
    return common_pb2.CurrentActivity(component=component, operation=phase.activity or phase.name, details=done)


def _usage(run: RunState, shown: PhaseState | None) -> _pb.GetJobProgressResponse.ResourceUsage:
    sample = run.sample
    assert sample is not None  # asked for only then
    return _pb.GetJobProgressResponse.ResourceUsage(
        memory_bytes=sample.rss_bytes,
        memory_limit_bytes=run.resources.memory_bytes or None,
        cpu_percent=percent(sample.cpu_percent),
        disk_bytes=sample.disk_bytes,
        records_per_second=shown.rate if shown else None,
    )


def _quality(run: RunState) -> _pb.GetJobProgressResponse.QualityMetrics:
    return _pb.GetJobProgressResponse.QualityMetrics(
        data_quality_score=figure(run, "dataQualityScore"),
        validations_passed=whole(figure(run, "validationsPassed")),
        validations_failed=whole(figure(run, "validationsFailed")),
        warnings_generated=run.logs.warn,
        errors_encountered=run.logs.error,
    )


def whole(value: float | None) -> int | None:
    """A count of a figure."""
    return None if value is None else int(value)


def figure(run: RunState, key: str) -> float | None:
    """A figure that a phase reports under its documented key; None when none does."""
    values = (phase.metrics.get(key) for phase in run.phases)
    return next((float(value) for value in values if isinstance(value, int | float)), None)
