"""The Watch RPCs: each one names its source, `follow` does the rest."""

from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.message import Message

from lodestream.v1 import batch_pb2 as batch
from lodestream.v1 import job_pb2 as job
from lodestream.v1 import operation_pb2 as operation
from lodestream.v1 import queue_pb2 as queue
from lodestream.v1 import tracking_pb2 as tracking
from lodestream.v1.event_pb2 import RunEvents
from lodestream.v1.tracking_pb2 import TimelineGranularity
from lodestream_mock.answers.batches import batch_of
from lodestream_mock.answers.call import ANSWERS, Call, streams
from lodestream_mock.answers.follow import follow
from lodestream_mock.answers.sources import ManyRuns, OneBatch, OneRun
from lodestream_mock.answers.unknown import run_of
from lodestream_mock.play import typed
from lodestream_mock.play.as_events import as_event
from lodestream_mock.play.as_timeline import entry, is_entry, passes
from lodestream_mock.play.as_tracking import as_log_entry, as_progress_event
from lodestream_mock.play.played import Played
from lodestream_mock.scenarios.story import TERMINAL, Kind

_PROGRESS = frozenset({Kind.QUEUED, Kind.STARTED, Kind.PHASE_STARTED, Kind.PHASE_COMPLETED, Kind.PROGRESS, *TERMINAL})


def snapshot_of(call: Call, method: str, request: Message) -> Any:
    """The answer of the unary twin, without moving the step clock."""
    twin = Call(call.session, method, call.language)
    with call.session.at_rest():
        found = ANSWERS[method](twin, request)
    call.provenance = twin.provenance
    return found


def _all_events(played: Played, indexes: range) -> RunEvents:
    return RunEvents(events=[as_event(played, index) for index in indexes])


@streams("WatchJob")
def watch_job(call: Call, request: job.WatchJobRequest) -> AsyncIterator[Any]:
    """Every event of a job."""
    run = run_of(call, request.request.job_id, "job")
    source = OneRun(call, run.run_id, lambda _: snapshot_of(call, "GetJob", request.request), _all_events)
    return follow(call, request, job.WatchJobResponse, source)


@streams("WatchOperation")
def watch_operation(call: Call, request: operation.WatchOperationRequest) -> AsyncIterator[Any]:
    """Every event of an operation."""
    run = run_of(call, request.request.operation_id, "operation")
    source = OneRun(call, run.run_id, lambda _: snapshot_of(call, "GetOperation", request.request), _all_events)
    return follow(call, request, operation.WatchOperationResponse, source)


@streams("WatchBatch")
def watch_batch(call: Call, request: batch.WatchBatchRequest) -> AsyncIterator[Any]:
    """Starts, progress and ends of a batch's operations."""
    return follow(call, request, batch.WatchBatchResponse, OneBatch(call, batch_of(call, request.request.batch_id)))


@streams("WatchJobLogs")
def watch_job_logs(call: Call, request: tracking.WatchJobLogsRequest) -> AsyncIterator[Any]:
    """Every line that passes level and time."""
    asked = request.request
    run = run_of(call, asked.job_id)

    def lines(played: Played, indexes: range) -> Message | None:
        created = played.run.created
        out = tracking.JobLogEvents()
        for index in indexes:
            if played.happenings[index].kind is Kind.LOG:
                line = as_log_entry(played.happenings[index], created)
                if _line_passes(asked, line):
                    out.events.add(sequence=index + 1, entry=line)
        return out if out.events else None

    source = OneRun(call, run.run_id, lambda _: snapshot_of(call, "GetJobLogs", asked), lines)
    return follow(call, request, tracking.WatchJobLogsResponse, source)


def _line_passes(asked: tracking.GetJobLogsRequest, line: Any) -> bool:
    at = typed.epoch_ms(line.timestamp)
    return (
        line.level >= asked.level
        and (not asked.HasField("from_time") or at >= typed.epoch_ms(asked.from_time))
        and (not asked.HasField("to_time") or at <= typed.epoch_ms(asked.to_time))
    )


@streams("WatchJobProgress")
def watch_job_progress(call: Call, request: tracking.WatchJobProgressRequest) -> AsyncIterator[Any]:
    """Every change of status, stage and percentage."""
    run = run_of(call, request.request.job_id)

    def changes(played: Played, indexes: range) -> Message | None:
        kept = [index for index in indexes if played.happenings[index].kind in _PROGRESS]
        events = [as_progress_event(played, index) for index in kept]
        return tracking.JobProgressEvents(events=events) if events else None

    source = OneRun(call, run.run_id, lambda _: snapshot_of(call, "GetJobProgress", request.request), changes)
    return follow(call, request, tracking.WatchJobProgressResponse, source)


@streams("WatchJobTimeline")
def watch_job_timeline(call: Call, request: tracking.WatchJobTimelineRequest) -> AsyncIterator[Any]:
    """Every entry at the granularity asked for."""
    asked = request.request
    run = run_of(call, asked.job_id)
    granularity = asked.granularity or TimelineGranularity.TIMELINE_GRANULARITY_MINUTES
    hides_progress = asked.HasField("include_sub_events") and not asked.include_sub_events

    def entries(played: Played, indexes: range) -> Message | None:
        out = tracking.JobTimelineEvents()
        for index in indexes:
            hidden = hides_progress and played.happenings[index].kind is Kind.PROGRESS
            if not hidden and is_entry(played, index) and passes(played, index, granularity):
                out.events.add(sequence=index + 1, event=entry(played, index, call.language))
        return out if out.events else None

    source = OneRun(call, run.run_id, lambda _: snapshot_of(call, "GetJobTimeline", asked), entries)
    return follow(call, request, tracking.WatchJobTimelineResponse, source)


@streams("WatchJobMetrics")
def watch_job_metrics(call: Call, request: tracking.WatchJobMetricsRequest) -> AsyncIterator[Any]:
    """The latest figures."""
    run = run_of(call, request.request.job_id)
    source = OneRun(call, run.run_id, lambda _: snapshot_of(call, "GetJobMetrics", request.request))
    return follow(call, request, tracking.WatchJobMetricsResponse, source)


@streams("WatchTrackedJobs")
def watch_tracked_jobs(call: Call, request: tracking.WatchTrackedJobsRequest) -> AsyncIterator[Any]:
    """The latest glance, at most one every refreshInterval; ends when all the named jobs have ended."""
    session, asked = call.session, request.request
    source = ManyRuns(
        call,
        lambda: [run for run in session.runs.values() if not asked.job_ids or run.run_id in asked.job_ids],
        lambda: snapshot_of(call, "TrackJobs", asked),
        every=(asked.refresh_interval or 5) * 1000,
        endless=not asked.job_ids,
    )
    return follow(call, request, tracking.WatchTrackedJobsResponse, source)


@streams("WatchQueue")
def watch_queue(call: Call, request: queue.WatchQueueRequest) -> AsyncIterator[Any]:
    """The latest queue, without end."""
    session = call.session
    source = ManyRuns(
        call,
        lambda: session.of_kind("job"),
        lambda: snapshot_of(call, "GetQueue", request.request),
        every=1000,
        endless=True,
    )
    return follow(call, request, queue.WatchQueueResponse, source)
