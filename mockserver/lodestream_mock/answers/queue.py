"""QueueService: what waits, why, and how to change that. No page shows these answers: they are derived."""

from collections.abc import Iterator
from dataclasses import replace

from lodestream.errors import RunAlreadyEnded
from lodestream.v1 import queue_pb2 as queue
from lodestream.v1.common_pb2 import Priority, RunState
from lodestream.v1.queue_pb2 import QueueStatus
from lodestream.wire.instants import instant_text
from lodestream_mock.answers import filters
from lodestream_mock.answers.call import CALLER, Call, answers
from lodestream_mock.answers.submitting import word
from lodestream_mock.answers.unknown import run_of
from lodestream_mock.play import typed
from lodestream_mock.play.moment import moment
from lodestream_mock.play.run import Run
from lodestream_mock.session.session import Session

_MOST = 1000


@answers("GetQueue")
def get_queue(call: Call, request: queue.GetQueueRequest) -> queue.GetQueueResponse:
    """What waits in the session, next first."""
    out = queue_now(call)
    filters.queue(request, out)
    return out


def queue_now(call: Call) -> queue.GetQueueResponse:
    """The whole queue."""
    session = call.session
    waiting = session.waiting()
    running = sum(1 for run in session.runs.values() if moment(session.played(run), session.age(run)).running)
    out = queue.GetQueueResponse(
        queue_status=_status(session),
        timestamp=typed.instant(session.epoch_ms),
        queued_jobs=[_queued(call, run, place) for place, run in enumerate(waiting[:_MOST], 1)],
    )
    priorities = [session.played(run).story.priority for run in waiting]
    out.summary.total_queued_jobs = len(waiting)
    out.summary.critical_priority_jobs = priorities.count("Critical")
    out.summary.high_priority_jobs = priorities.count("High")
    out.summary.normal_priority_jobs = priorities.count("Normal")
    out.summary.low_priority_jobs = priorities.count("Low")
    waits = [session.played(run).story.waits - run.held for run in session.runs.values()]
    out.summary.average_wait_time.CopyFrom(typed.duration(sum(waits) / len(waits) if waits else 0))
    workers = session.scenario.workers
    out.processing_capacity.active_workers = min(running, workers)
    out.processing_capacity.total_workers = workers
    out.processing_capacity.current_load = float(int(100 * min(running, workers) / workers)) if workers else 0
    out.processing_capacity.max_concurrent_jobs = workers
    out.processing_capacity.currently_running = running
    return out


def _status(session: Session) -> QueueStatus.ValueType:
    return QueueStatus.QUEUE_STATUS_PAUSED if session.queue_paused else QueueStatus.QUEUE_STATUS_ACTIVE


def _queued(call: Call, run: Run, place: int) -> queue.GetQueueResponse.QueuedJob:
    played = call.session.played(run, call.language)
    story = played.story
    low, high = story.estimate or (played.planned_end - story.waits, played.planned_end - story.waits)
    return queue.GetQueueResponse.QueuedJob(
        job_id=run.run_id,
        job_name=story.name,
        job_type=story.type,
        priority=typed.number(Priority.DESCRIPTOR, story.priority),
        queue_position=place,
        estimated_start_time=typed.instant(run.created + story.waits),
        estimated_duration=typed.span(low, high),
        submitted_by=story.submitted_by,
        date_submitted=typed.instant(run.created),
        resource_requirements=queue.GetQueueResponse.ResourceRequirements(
            cpu_units=story.cpu_units, memory_gb=story.memory_gb
        ),
    )


@answers("PauseQueue")
def pause_queue(call: Call, request: queue.PauseQueueRequest) -> queue.PauseQueueResponse:
    """Noted and shown; stories go on as they are written, so that time alone decides what happens when."""
    call.session.queue_paused = True
    return queue.PauseQueueResponse(queue_status=_status(call.session), total_queued_jobs=len(call.session.waiting()))


@answers("ResumeQueue")
def resume_queue(call: Call, request: queue.ResumeQueueRequest) -> queue.ResumeQueueResponse:
    """The other way round."""
    call.session.queue_paused = False
    return queue.ResumeQueueResponse(queue_status=_status(call.session), total_queued_jobs=len(call.session.waiting()))


@answers("PurgeQueue")
def purge_queue(call: Call, request: queue.PurgeQueueRequest) -> queue.PurgeQueueResponse:
    """Cancels what waits, of one priority where one is given."""
    session = call.session
    wanted = word(request, "priority")
    purged = [run for run in session.waiting() if not wanted or session.played(run).story.priority == wanted]
    for run in purged:
        session.cancel(run, CALLER, request.reason, force=False)
    return queue.PurgeQueueResponse(cancelled_jobs=len(purged), total_queued_jobs=len(session.waiting()))


@answers("ReprioritizeJob")
def reprioritize_job(call: Call, request: queue.ReprioritizeJobRequest) -> queue.ReprioritizeJobResponse:
    """Raises RunAlreadyEnded for a job that does not wait any more."""
    session = call.session
    run = run_of(call, request.job_id, "job")
    if not session.position(run):
        raise RunAlreadyEnded(f"The job {run.run_id} does not wait any more; only waiting jobs change their priority.")
    run = session.change(replace(run, priority=word(request, "priority")))
    return queue.ReprioritizeJobResponse(
        job_id=run.run_id,
        priority=request.priority,
        queue_position=session.position(run),
        estimated_start_time=typed.instant(run.created + session.played(run).story.waits),
    )


@answers("ExplainJob")
def explain_job(call: Call, request: queue.ExplainJobRequest) -> queue.ExplainJobResponse:
    """What a job waits for, in words."""
    session = call.session
    run = run_of(call, request.job_id, "job")
    now = moment(session.played(run), session.age(run))
    out = queue.ExplainJobResponse(job_id=run.run_id, state=now.state)
    if now.state == RunState.RUN_STATE_BLOCKED:
        out.waiting_for.extend(_needed(session, run))
        out.explanation = "The job waits for other runs."
        return out
    if now.state == RunState.RUN_STATE_SCHEDULED:
        until = instant_text((run.created + run.scheduled) // 1000)
        out.explanation = f"It is scheduled for {until}."
        out.waiting_for.add(reason="SCHEDULED_TIME", message=out.explanation, subject=until)
        return out
    place = session.position(run)
    if not place:
        out.explanation = f"The job does not wait: it is {RunState.Name(now.state).removeprefix('RUN_STATE_').lower()}."
        return out
    if place > 1:
        ahead = session.waiting()[place - 2]
        out.waiting_for.add(
            reason="EARLIER_IN_QUEUE", message=f"{place - 1} jobs are before this one.", subject=ahead.run_id
        )
    if session.queue_paused:
        out.waiting_for.add(reason="QUEUE_PAUSED", message="The queue of this project is paused.")
    out.waiting_for.add(reason="NO_FREE_WORKER", message="All workers are busy.")
    out.explanation = f"The job is number {place} in the queue."
    return out


def _needed(session: Session, run: Run) -> Iterator[queue.ExplainJobResponse.Reason]:
    for other in (session.runs[other] for other in run.dependencies if other in session.runs):
        played, now = session.played(other), moment(session.played(other), session.age(other))
        if now.ended is None:
            state = RunState.Name(now.state).removeprefix("RUN_STATE_").lower()
            message = f"It needs {played.story.name}, which is {state}."
            yield queue.ExplainJobResponse.Reason(reason="DEPENDENCY", message=message, subject=other.run_id)
