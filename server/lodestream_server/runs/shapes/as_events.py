"""Events as RunEvent, each with the state and the progress after it. Shared by WatchJob and WatchOperation."""

from typing import Any, assert_never

from lodestream.v1 import common_pb2, event_pb2
from lodestream_server.runs import bodies
from lodestream_server.runs.entries import entry
from lodestream_server.runs.events import Event
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.common import failed, stopped_by, took_s
from lodestream_server.runs.shapes.values import duration, percent, struct_or_none, timestamp
from lodestream_server.runs.state import RunState

_pb = event_pb2.RunEvent


def as_event(event: Event, after: RunState) -> event_pb2.RunEvent:
    """The event; `after` is the run folded up to and with it."""
    made = event_pb2.RunEvent(
        sequence=event.sequence,
        timestamp=timestamp(event.time),
        state=words.RUN_STATES[after.state],
        percentage=percent(after.percent),
    )
    name, body = _body(event, after)
    getattr(made, name).CopyFrom(body)
    return made


def _body(event: Event, after: RunState) -> tuple[str, Any]:
    match event.body:
        case bodies.Submitted() as body:
            return "submitted", _submitted(body)
        case bodies.Blocked():
            return "waiting", _pb.Waiting(reason="DEPENDENCY")
        case bodies.Bound() | bodies.Reprioritized() | bodies.Allocated():
            return "noted", _noted_change(event)
        case bodies.Scheduled(at):
            return "waiting", _pb.Waiting(until=timestamp(at), reason="SCHEDULED")
        case bodies.Queued():
            return "queued", _pb.Queued()
        case bodies.Requeued(reason):
            return "queued", _pb.Queued(reason=reason)
        case bodies.RetryPlanned(at):
            return "waiting", _pb.Waiting(until=timestamp(at), reason="RETRY")
        case bodies.Started() as body:
            return "started", _pb.Started(attempt=body.attempt, worker_node=body.node, execution_id=body.execution_id)
        case bodies.PhaseStarted(phase, order):
            return "phase_started", _pb.PhaseStarted(phase=phase, order=order)
        case bodies.Progressed() as body:
            return "progressed", _progressed(body, after)
        case bodies.MetricsChanged(phase):
            # The figures as they stand: values that came before and did not change belong to it.
            figures = after.phase(phase).metrics
            return "metrics_changed", _pb.MetricsChanged(phase=phase, metrics=struct_or_none(figures))
        case bodies.Logged() | bodies.Warned() | bodies.ErrorNoted() | bodies.Milestone() as body:
            return _said(event, body)
        case bodies.ArtifactStored() as body:
            return "artifact_stored", _artifact(body)
        case bodies.PhaseCompleted() as body:
            return "phase_completed", _phase_completed(body, after)
        case bodies.Sampled() as body:
            return "sampled", _sampled(body)
        case bodies.CancelRequested() as body:
            asked = _pb.CancelRequested(requested_by=body.by or None, reason=body.reason or None, force=body.force)
            return "cancel_requested", asked
        case bodies.Completed():
            return "completed", _pb.Completed(duration=duration(took_s(after)), records_processed=_records(after))
        case bodies.Failed() as body:
            return "failed", failed(body)
        case bodies.Cancelled(receipt):
            return "cancelled", _cancelled(receipt, after)
        case bodies.TimedOut(_, phase):
            return "timed_out", _pb.TimedOut(timeout_at=timestamp(after.deadline), phase=phase)
        case other:
            assert_never(other)


def _noted_change(event: Event) -> _pb.Noted:
    """What the timeline says of a change that has no message of its own."""
    told = entry(event)
    assert told is not None  # each of these has an entry
    return _pb.Noted(kind=_pb.Noted.KIND_MILESTONE, description=told.description, details=struct_or_none(told.details))


def _submitted(body: bodies.Submitted) -> _pb.Submitted:
    return _pb.Submitted(
        name=body.name,
        type=body.type,
        priority=words.PRIORITIES[body.priority],
        submitted_by=body.submitted_by or None,
        phases=[phase.name for phase in body.phases],
    )


def _progressed(body: bodies.Progressed, after: RunState) -> _pb.Progressed:
    return _pb.Progressed(
        phase=body.phase,
        phase_percentage=percent(after.phase(body.phase).percent),
        records_processed=body.done,
        total_records=body.total,
        activity=body.activity,
        records_per_second=body.rate,
    )


def _said(
    event: Event, body: bodies.Logged | bodies.Warned | bodies.ErrorNoted | bodies.Milestone
) -> tuple[str, common_pb2.LogEntry | _pb.Noted]:
    if isinstance(body, bodies.Logged):
        return "logged", common_pb2.LogEntry(
            timestamp=timestamp(event.time),
            level=words.LEVELS[body.level],
            component=body.component or None,
            stage=body.phase or None,
            message=body.message,
            details=struct_or_none(body.details),
        )
    match body:
        case bodies.Warned(issue):
            kind, text = _pb.Noted.KIND_WARNING, issue
        case bodies.ErrorNoted(description):
            kind, text = _pb.Noted.KIND_ERROR, description
        case bodies.Milestone(description):
            kind, text = _pb.Noted.KIND_MILESTONE, description
    return "noted", _pb.Noted(
        kind=kind, phase=body.phase or None, description=text, details=struct_or_none(body.details)
    )


def _artifact(body: bodies.ArtifactStored) -> _pb.ArtifactStored:
    return _pb.ArtifactStored(
        artifact_id=body.artifact_id,
        name=body.name,
        type=words.artifact_type(body.type),
        format=body.format or None,
        size_bytes=body.size_bytes,
    )


def _phase_completed(body: bodies.PhaseCompleted, after: RunState) -> _pb.PhaseCompleted:
    phase = after.phase(body.phase)
    return _pb.PhaseCompleted(
        phase=body.phase,
        order=phase.order,
        duration=duration(body.duration_s),
        records_processed=phase.records,
        results=struct_or_none(body.results),
        kept=body.kept,
    )


def _sampled(body: bodies.Sampled) -> _pb.Sampled:
    return _pb.Sampled(
        cpu_percent=body.cpu_percent,
        memory_bytes=body.rss_bytes,
        disk_read_bytes=body.read_bytes,
        disk_write_bytes=body.written_bytes,
    )


def _cancelled(receipt: bodies.Receipt, after: RunState) -> _pb.Cancelled:
    request = after.cancel
    return _pb.Cancelled(
        cancelled_by=request.by or None if request else None,
        reason=request.reason or None if request else None,
        stopped_by=stopped_by(receipt.rung),
        took=duration(receipt.took_s),
        phases_kept=receipt.phases_kept,
    )


def _records(run: RunState) -> int | None:
    """Records of the run: what its largest phase handled, since each phase goes over the same ones."""
    return max((phase.records for phase in run.phases if phase.records is not None), default=None)
