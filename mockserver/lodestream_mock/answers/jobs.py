"""JobService: jobs submitted, followed, cancelled and retried."""

from dataclasses import replace

from google.protobuf.json_format import MessageToDict

from lodestream import wire
from lodestream.errors import InvalidField, RunAlreadyEnded, RunNotFinished, RunNotRetryable, Violation
from lodestream.v1 import job_pb2 as job
from lodestream.v1.common_pb2 import JobStatus
from lodestream_mock.answers import filters
from lodestream_mock.answers.call import CALLER, Call, answers
from lodestream_mock.answers.replay import echo, payload, told
from lodestream_mock.answers.submitting import new_run, once, type_of, word
from lodestream_mock.answers.unknown import run_of
from lodestream_mock.play import typed
from lodestream_mock.play.artifacts import download_path
from lodestream_mock.play.as_job import as_job, as_job_summary, job_receipt
from lodestream_mock.play.as_operation import retryable
from lodestream_mock.play.as_results import as_job_results, outputs
from lodestream_mock.play.run import Run
from lodestream_mock.scenarios.story import Kind
from lodestream_mock.session.dependencies import settle

_MINUTE = 60_000


@answers("SubmitJob")
def submit_job(call: Call, request: job.SubmitJobRequest) -> job.SubmitJobResponse:
    """The first one has the documented id and, in the documented scenario, the documented answer."""
    wire.with_defaults(request)
    return once(call, request, lambda: _submit(call, request))


def _submit(call: Call, request: job.SubmitJobRequest) -> job.SubmitJobResponse:
    session = call.session
    minutes, timed = request.scheduling.timeout_minutes, _timed(request.scheduling)
    run = new_run(
        call,
        "job",
        session.scenario.submit["job"],
        project_id=request.project_id,
        name=request.job_name,
        description=request.job_description,
        type=type_of(request, "job_type"),
        priority=word(request, "priority"),
        timeout=minutes * _MINUTE if minutes else None,
        dependencies=tuple(request.dependencies),
    )
    if timed:
        run = session.change(
            replace(run, scheduled=max(0, typed.epoch_ms(request.scheduling.scheduled_time) - run.created))
        )
    if run.dependencies:
        run = settle(session, run)
    played = session.played(run)
    if session.pinned and run.number == 1:
        out = payload(call, "submit-job.response", job.SubmitJobResponse)
        echo(request, out)
        return out
    low, high = played.story.estimate or (played.planned_end, played.planned_end)
    return job.SubmitJobResponse(
        job_id=run.run_id,
        status=JobStatus.JOB_STATUS_QUEUED,
        queue_position=session.position(run),
        estimated_start_time=typed.instant(run.created + played.story.waits),
        estimated_duration=typed.span(low, high),
        job_name=played.story.name,
        priority=request.priority,
        date_submitted=typed.instant(run.created),
        submitted_by=CALLER,
    )


def _timed(scheduling: job.SubmitJobRequest.Scheduling) -> bool:
    """Whether the caller sets a time. Raises InvalidField for one that goes against `executeImmediately`."""
    timed = scheduling.HasField("scheduled_time")
    if scheduling.HasField("execute_immediately") and scheduling.execute_immediately == timed:
        fault = "excludes immediate execution" if timed else "is required without immediate execution"
        raise InvalidField.of(Violation("scheduling.scheduled_time", fault))
    return timed


@answers("GetJob")
def get_job(call: Call, request: job.GetJobRequest) -> job.GetJobResponse:
    """A status request: the step clock moves on after it."""
    run = run_of(call, request.job_id, "job")
    out = told(call, run, "get-job.response", job.GetJobResponse) or job_now(call, run, request.project_id)
    call.session.step(run)
    return out


def job_now(call: Call, run: Run, project_id: str) -> job.GetJobResponse:
    """The job as computed from its story."""
    session = call.session
    out = as_job(session.played(run, call.language), session.age(run))
    out.project_id = run.project_id or project_id
    if position := session.position(run):
        out.queue_position = position
    return out


@answers("ListJobs")
def list_jobs(call: Call, request: job.ListJobsRequest) -> job.ListJobsResponse:
    """The documented page, or every job of the session; parameters filter either."""
    session = call.session
    if session.pinned:
        out = payload(call, "list-jobs.response", job.ListJobsResponse)
    else:
        runs = session.of_kind("job")
        out = job.ListJobsResponse(
            jobs=[as_job_summary(session.played(r, call.language), session.age(r)) for r in runs]
        )
        statuses = [entry.status for entry in out.jobs]
        out.summary.total_jobs = len(statuses)
        out.summary.running_jobs = statuses.count(JobStatus.JOB_STATUS_RUNNING)
        out.summary.queued_jobs = statuses.count(JobStatus.JOB_STATUS_QUEUED)
        out.summary.completed_jobs = statuses.count(JobStatus.JOB_STATUS_COMPLETED)
        out.summary.failed_jobs = statuses.count(JobStatus.JOB_STATUS_FAILED)
    whole = len(out.jobs)
    filters.only(out.jobs, request, "status", "job_type", "custom_type", "priority", "submitted_by")
    filters.between(out.jobs, request, "start_time")
    filters.page(out.jobs, request, out, more_beyond=session.pinned and whole == len(out.jobs))
    return out


@answers("CancelJob")
def cancel_job(call: Call, request: job.CancelJobRequest) -> job.CancelJobResponse:
    """A receipt; the same one again for a job that is cancelled already. Raises RunAlreadyEnded."""
    session = call.session
    run = run_of(call, request.job_id, "job")
    played = session.played(run, call.language)
    if session.age(run) >= played.end.at and played.end.kind is not Kind.CANCELLED:
        raise RunAlreadyEnded(f"The job {run.run_id} has ended ({played.end.kind}) and cannot be cancelled any more.")
    if session.age(run) < played.end.at:
        run = session.cancel(run, CALLER, request.reason, request.force_termination)
        played = session.played(run, call.language)
    out = job_receipt(played)
    if request.HasField("preserve_partial_results") and not request.preserve_partial_results:
        out.partial_results.Clear()
    else:
        scope = (request.tenant_id, request.project_id, run)
        out.partial_results.download_urls.extend(download_path(*scope, file.artifact_id) for file in outputs(played))
    return out


@answers("GetJobResults")
def get_job_results(call: Call, request: job.GetJobResultsRequest) -> job.GetJobResultsResponse:
    """Raises RunNotFinished before the end, except for documented payloads."""
    session = call.session
    run = run_of(call, request.job_id, "job")
    out = told(call, run, "get-job-results.response", job.GetJobResultsResponse)
    if out is None:
        played = session.played(run, call.language)
        if session.age(run) < played.end.at:
            raise RunNotFinished(f"The job {run.run_id} has not ended yet; its results are there when it has.")
        out = as_job_results(played, request.tenant_id, request.project_id, call.language)
    filters.job_results(request, out)
    if word(request, "format") == "download":
        out.download_url = download_path(request.tenant_id, request.project_id, run, "all.zip")
    return out


@answers("RetryJob")
def retry_job(call: Call, request: job.RetryJobRequest) -> job.RetryJobResponse:
    """No page shows this answer: it is derived. In the documented scenario every documented job can be retried."""
    wire.with_defaults(request)
    run = run_of(call, request.job_id, "job")
    return once(call, request, lambda: _retry(call, request, run))


def _retry(call: Call, request: job.RetryJobRequest, run: Run) -> job.RetryJobResponse:
    session = call.session
    played = session.played(run)
    if not session.pinned and not retryable(played, session.age(run)):
        raise RunNotRetryable(
            f"The job {run.run_id} did not fail, time out or get cancelled; only such jobs can be retried."
        )
    parameters = MessageToDict(request.updated_parameters) if request.modify_parameters else {}
    minutes = parameters.get("timeoutMinutes")
    new = new_run(
        call,
        "job-retry",
        session.story(run).on_retry or run.story,
        project_id=request.project_id,
        name=run.name,
        type=run.type,
        priority=word(request, "priority") or played.story.priority,
        timeout=int(minutes * _MINUTE) if isinstance(minutes, float) else None,
        original_id=run.run_id,
        retry_number=run.retry_number + 1,
    )
    again = session.played(new, call.language)
    low, high = again.story.estimate or (again.planned_end, again.planned_end)
    summary = as_job_summary(again, session.age(new))
    return job.RetryJobResponse(
        job_id=new.run_id,
        original_job_id=run.run_id,
        status=JobStatus.JOB_STATUS_QUEUED,
        retry_number=new.retry_number,
        retry_reason=request.retry_reason or None,
        queue_position=session.position(new),
        estimated_start_time=typed.instant(new.created + again.story.waits),
        estimated_duration=typed.span(low, high),
        job_name=summary.job_name,
        job_type=summary.job_type,
        custom_type=summary.custom_type or None,
        priority=summary.priority,
        date_submitted=typed.instant(new.created),
        submitted_by=CALLER,
    )
