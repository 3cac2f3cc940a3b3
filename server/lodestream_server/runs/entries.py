"""What a person would tell of an event. Pure; the timeline, the streams and the events' own shapes read it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from lodestream_server.runs.bodies import (
    Allocated,
    Blocked,
    Bound,
    Cancelled,
    CancelRequested,
    Completed,
    ErrorNoted,
    Failed,
    Json,
    Milestone,
    PhaseCompleted,
    PhaseStarted,
    Progressed,
    Queued,
    Reprioritized,
    Requeued,
    Resources,
    RetryPlanned,
    Scheduled,
    Started,
    Submitted,
    TimedOut,
    Warned,
)
from lodestream_server.runs.events import Event


class Moment(StrEnum):
    """What an entry tells; the names are those of the contract's TimelineEventType."""

    JOB_SUBMITTED = "JOB_SUBMITTED"
    JOB_QUEUED = "JOB_QUEUED"
    JOB_STARTED = "JOB_STARTED"
    STAGE_STARTED = "STAGE_STARTED"
    STAGE_COMPLETED = "STAGE_COMPLETED"
    MILESTONE = "MILESTONE"
    WARNING = "WARNING"
    ERROR = "ERROR"
    PROGRESS = "PROGRESS"
    RESOURCE_CHANGED = "RESOURCE_CHANGED"
    CANCELLATION_REQUESTED = "CANCELLATION_REQUESTED"
    RETRY_SCHEDULED = "RETRY_SCHEDULED"
    JOB_COMPLETED = "JOB_COMPLETED"
    JOB_FAILED = "JOB_FAILED"
    JOB_CANCELLED = "JOB_CANCELLED"
    JOB_TIMED_OUT = "JOB_TIMED_OUT"
    # To come:
    STAGE_COMPLETION = "STAGE_COMPLETION"
    STAGE_START = "STAGE_START"
    JOB_COMPLETION = "JOB_COMPLETION"


#: The kinds of events that have an entry.
KINDS = frozenset(
    body.KIND
    for body in (
        Submitted,
        Blocked,
        Bound,
        Scheduled,
        Queued,
        Reprioritized,
        Allocated,
        Started,
        PhaseStarted,
        Progressed,
        Milestone,
        Warned,
        ErrorNoted,
        PhaseCompleted,
        CancelRequested,
        Requeued,
        RetryPlanned,
        Completed,
        Failed,
        Cancelled,
        TimedOut,
    )
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the timeline; `phase` is empty for what concerns the whole run."""

    sequence: int
    time: datetime
    moment: Moment
    description: str
    phase: str = ""
    details: Json = field(default_factory=dict)

    @property
    def is_sub_event(self) -> bool:
        """Whether it is told only on request."""
        return self.moment in (Moment.PROGRESS, Moment.RESOURCE_CHANGED)


def entry(event: Event) -> Entry | None:
    """What an event says on the timeline; None when nothing."""
    told = _told(event)
    if told is None:
        return None
    moment, description, phase, details = told
    return Entry(event.sequence, event.time, moment, description, phase, details)


_Told = tuple[Moment, str, str, Json]


def _told(event: Event) -> _Told | None:
    match event.body:
        case Submitted() as body:
            return _submission(body)
        case Blocked(waiting_for):
            return Moment.JOB_QUEUED, "Waiting for other runs", "", {"waitingFor": list(waiting_for)}
        case Bound(dataset_id, source):
            return Moment.MILESTONE, "Input ready", "", {"datasetId": dataset_id, "producedBy": source}
        case Scheduled(at):
            return Moment.JOB_QUEUED, "Waiting for its time", "", {"scheduledTime": at.isoformat()}
        case Queued():
            return Moment.JOB_QUEUED, "Waiting for a free worker", "", {}
        case Reprioritized(priority, by):
            details: Json = {"priority": priority.name.capitalize(), "changedBy": by}
            return Moment.RESOURCE_CHANGED, f"Priority changed to {priority.name.capitalize()}", "", details
        case Allocated(resources, before, reason):
            details = {"reason": reason, "resourcesAllocated": _amounts(resources), "before": _amounts(before)}
            return Moment.RESOURCE_CHANGED, _reallocated(resources, before), "", details
        case Started() as body:
            return Moment.JOB_STARTED, _start(body), "", _allocation(body)
        case PhaseStarted(phase, order):
            return Moment.STAGE_STARTED, f"{phase} stage started", phase, {"stageName": phase, "stageOrder": order}
        case Progressed() as body:
            return _progress(body)
        case Milestone(description, phase, details):
            return Moment.MILESTONE, description, phase, details
        case Warned(issue, _, phase, details):
            return Moment.WARNING, issue, phase, details
        case ErrorNoted(description, _, phase, details):
            return Moment.ERROR, description, phase, details
        case PhaseCompleted() as body:
            return _completion(body)
        case CancelRequested(by, reason, force):
            details = {"cancelledBy": by, "reason": reason, "forceTermination": force}
            return Moment.CANCELLATION_REQUESTED, "Cancellation requested", "", details
        case Requeued(reason, message):
            return Moment.JOB_QUEUED, message or "Back in the queue", "", {"reason": reason}
        case RetryPlanned(at, reason, message):
            return (
                Moment.RETRY_SCHEDULED,
                message or "Waiting to try again",
                "",
                {"at": at.isoformat(), "reason": reason},
            )
        case Completed():
            return Moment.JOB_COMPLETED, "Job completed successfully", "", {}
        case Failed(reason, message, phase):
            return Moment.JOB_FAILED, message, phase or "", {"reason": reason}
        case Cancelled(receipt):
            details = {"stoppedBy": receipt.rung, "phasesKept": list(receipt.phases_kept)}
            return Moment.JOB_CANCELLED, "Job cancelled", "", details
        case TimedOut(timeout_s, reason="QUEUE_LIMIT"):
            return Moment.JOB_TIMED_OUT, "Job waited in the queue for too long", "", {"queueLimitSeconds": timeout_s}
        case TimedOut(timeout_s, phase):
            return Moment.JOB_TIMED_OUT, "Job reached its time limit", phase or "", {"timeoutSeconds": timeout_s}
        case _:
            return None


def _submission(body: Submitted) -> _Told:
    details: Json = {"submittedBy": body.submitted_by, "priority": body.priority.name.capitalize()}
    if not body.origin:
        return Moment.JOB_SUBMITTED, "Job submitted", "", details
    details |= {"originalRunId": body.origin, "retryNumber": body.retry_number}
    if reason := body.extras.get("retryReason"):
        details["retryReason"] = reason
    return Moment.JOB_SUBMITTED, "Job submitted again", "", details


def _start(body: Started) -> str:
    return "Job execution started" if body.attempt == 1 else f"Job execution started again (attempt {body.attempt})"


def _amounts(resources: Resources) -> Json:
    return {"cpuUnits": resources.cpu_units, "memoryGB": round(resources.memory_bytes / 1e9, 2)}


def _reallocated(resources: Resources, before: Resources) -> str:
    more = resources.memory_bytes > before.memory_bytes or resources.cpu_units > before.cpu_units
    return "Additional resources allocated" if more else "Fewer resources allocated than asked for"


def _allocation(body: Started) -> Json:
    allocated = {**_amounts(body.resources), "workerNode": body.node}
    return {"attempt": body.attempt, "executionId": body.execution_id, "resourcesAllocated": allocated}


def _progress(body: Progressed) -> _Told:
    done = f"{body.phase} {body.percent:.0f}% completed" if body.percent is not None else f"{body.phase} moved on"
    details: Json = {"stageName": body.phase, "recordsProcessed": body.done}
    if body.percent is not None:
        details["progress"] = body.percent
    if body.activity:
        details["currentOperation"] = body.activity
    if body.total is not None:
        details["remainingRecords"] = max(0, body.total - body.done)
    return Moment.PROGRESS, done, body.phase, details


def _completion(body: PhaseCompleted) -> _Told:
    details: Json = {"stageName": body.phase, "durationSeconds": body.duration_s}
    if body.records is not None:
        details["recordsProcessed"] = body.records
    if body.kept:
        return Moment.STAGE_COMPLETED, f"{body.phase} stage kept from an earlier attempt", body.phase, details
    return Moment.STAGE_COMPLETED, f"{body.phase} stage completed successfully", body.phase, details
