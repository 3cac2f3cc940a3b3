"""TrackingService: progress, logs, timeline and metrics of one run, and many runs at a glance."""

from collections.abc import Mapping

from lodestream.v1 import tracking_pb2 as tracking
from lodestream.v1.tracking_pb2 import TimelineGranularity
from lodestream_mock.answers import filters
from lodestream_mock.answers.call import Call, answers
from lodestream_mock.answers.replay import payload, told
from lodestream_mock.answers.unknown import run_of
from lodestream_mock.play import typed
from lodestream_mock.play.as_metrics import as_dependencies, as_metrics
from lodestream_mock.play.as_timeline import as_timeline
from lodestream_mock.play.as_tracking import as_logs, as_progress, as_tracked
from lodestream_mock.play.played import Played
from lodestream_mock.play.run import Run

#: Jobs at a glance at most.
_MOST = 100


@answers("GetJobLogs")
def get_job_logs(call: Call, request: tracking.GetJobLogsRequest) -> tracking.GetJobLogsResponse:
    """Every level unless one is asked for."""
    session = call.session
    run = run_of(call, request.job_id)
    out = told(call, run, "get-job-logs.response", tracking.GetJobLogsResponse)
    if out is None:
        out = as_logs(session.played(run, call.language), session.age(run))
    filters.logs(request, out)
    return out


@answers("GetJobProgress")
def get_job_progress(call: Call, request: tracking.GetJobProgressRequest) -> tracking.GetJobProgressResponse:
    """A status request: the step clock moves on after it."""
    session = call.session
    run = run_of(call, request.job_id)
    out = told(call, run, "get-job-progress.response", tracking.GetJobProgressResponse)
    if out is None:
        out = as_progress(session.played(run, call.language), session.age(run))
    session.step(run)
    return out


@answers("GetJobTimeline")
def get_job_timeline(call: Call, request: tracking.GetJobTimelineRequest) -> tracking.GetJobTimelineResponse:
    """At the granularity asked for; minutes when none is."""
    session = call.session
    run = run_of(call, request.job_id)
    out = told(call, run, "get-job-timeline.response", tracking.GetJobTimelineResponse)
    if out is None:
        granularity = request.granularity or TimelineGranularity.TIMELINE_GRANULARITY_MINUTES
        out = as_timeline(session.played(run, call.language), session.age(run), granularity, call.language)
    filters.timeline(request, out)
    return out


@answers("GetJobMetrics")
def get_job_metrics(call: Call, request: tracking.GetJobMetricsRequest) -> tracking.GetJobMetricsResponse:
    """With history unless it is refused."""
    session = call.session
    run = run_of(call, request.job_id)
    out = told(call, run, "get-job-metrics.response", tracking.GetJobMetricsResponse)
    if out is None:
        out = as_metrics(session.played(run, call.language), session.age(run))
    filters.metrics(request, out)
    return out


@answers("TrackJobs")
def track_jobs(call: Call, request: tracking.TrackJobsRequest) -> tracking.TrackJobsResponse:
    """The documented glance, or the jobs of the session; known ids that it does not show are added on request."""
    session = call.session
    places = session.places()
    if session.pinned:
        out = payload(call, "track-jobs.response", tracking.TrackJobsResponse)
        shown = {entry.job_id for entry in out.jobs}
        extra = [job_id for job_id in request.job_ids if job_id not in shown and job_id in session.runs]
        if extra:
            call.derived("track-jobs.response")
        out.jobs.extend(_glance(call, session.runs[job_id], places) for job_id in extra)
    else:
        out = tracking.TrackJobsResponse(tracking_time=typed.instant(session.epoch_ms))
        asked = frozenset(request.job_ids)
        jobs = [run for run in session.of_kind("job") if not asked or run.run_id in asked]
        out.jobs.extend(_glance(call, run, places) for run in jobs[:_MOST])
        filters.count_tracked(out)
    filters.tracked(request, out)
    return out


def _glance(call: Call, run: Run, places: Mapping[str, int]) -> tracking.TrackJobsResponse.TrackedJob:
    session = call.session
    out = as_tracked(session.played(run, call.language), session.age(run))
    if run.run_id in places:
        out.queue_position = places[run.run_id]
    return out


@answers("GetJobDependencies")
def get_job_dependencies(
    call: Call, request: tracking.GetJobDependenciesRequest
) -> tracking.GetJobDependenciesResponse:
    """Prerequisites and dependents within the session."""
    session = call.session
    run = run_of(call, request.job_id)
    out = told(call, run, "get-job-dependencies.response", tracking.GetJobDependenciesResponse)
    if out is not None:
        return out
    others: list[tuple[Played, int, str]] = []
    for other in session.runs.values():
        played = session.played(other, call.language)
        if other.run_id in _before(session.played(run)):
            others.append((played, session.age(other), "prerequisite"))
        elif run.run_id in _before(played):
            others.append((played, session.age(other), "dependent"))
    return as_dependencies(session.played(run, call.language), session.age(run), others)


def _before(played: Played) -> frozenset[str]:
    return frozenset((*played.run.dependencies, *played.story.prerequisites))
