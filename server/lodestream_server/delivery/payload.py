"""A telling as the JSON that receivers get: `DeliveryPayload` of the contract, in the documented words. Pure."""

from datetime import timedelta
from typing import Any

from lodestream import wire
from lodestream.v1 import common_pb2, webhook_pb2
from lodestream_server.delivery.tellings import Telling
from lodestream_server.runs import bodies
from lodestream_server.runs.batch import BatchState
from lodestream_server.runs.bodies import Json
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.common import api, error_of, took_s
from lodestream_server.runs.shapes.values import duration, percent, struct_or_none, timestamp
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind, State

_pb = webhook_pb2.DeliveryPayload
#: The word of a test.
PING = "ping"


def body_of(telling: Telling, resume_token: str) -> bytes:
    """The JSON; the same bytes whenever it is made."""
    return wire.to_json(as_payload(telling, resume_token))


def as_payload(telling: Telling, resume_token: str) -> _pb:
    """The message behind it."""
    run, operation = telling.run, telling.run.kind is RunKind.OPERATION
    if telling.batch is not None and telling.word.startswith("batch."):
        return _of_batch(telling, telling.batch, resume_token)
    return _pb(
        event=telling.word,
        operation_id=run.run_id if operation else None,
        job_id=None if operation else run.run_id,
        batch_id=run.batch_id or None,
        name=run.name,
        type=run.type,
        status=status_word(run),
        progress=percent(run.percent),
        timestamp=timestamp(telling.time),
        resume_token=resume_token,
        data=_pb.Data(**_data(telling)),
    )


def _of_batch(telling: Telling, batch: BatchState, resume_token: str) -> _pb:
    """About the batch as a whole; the operation is the one whose event it was, and whose token it is."""
    took = (batch.ended - batch.batch.created) / timedelta(seconds=1) if batch.ended else None
    return _pb(
        event=telling.word,
        operation_id=telling.run.run_id,
        batch_id=batch.batch.batch_id,
        name=batch.batch.name,
        status=_operation_word(batch.state),
        progress=percent(batch.percent),
        timestamp=timestamp(telling.time),
        resume_token=resume_token,
        data=_pb.Data(duration=duration(took)),
    )


def ping_body(name: str, now: Any) -> bytes:
    """The JSON of a test."""
    return wire.to_json(_pb(event=PING, name=name or None, timestamp=timestamp(now), data=_pb.Data()))


def status_word(run: RunState) -> str:
    """The documented English word for where the run stands."""
    if run.kind is RunKind.OPERATION:
        return _operation_word(run.state)
    return wire.words(common_pb2.JobStatus.DESCRIPTOR, "en")[words.JOB_STATUSES[run.state]]


def _operation_word(state: State) -> str:
    return wire.words(common_pb2.OperationStatus.DESCRIPTOR, "en")[words.OPERATION_STATUSES[state]]


def _data(telling: Telling) -> Json:
    run, event = telling.run, telling.event
    match event.body:
        case bodies.Started(attempt, node):
            return {"attempt": attempt, "worker_node": node}
        case bodies.PhaseStarted(phase):
            return _named(run, phase)
        case bodies.Progressed(phase) | bodies.PhaseCompleted(phase):
            return _named(run, phase) | _phase(run, phase)
        case bodies.Logged(level, message):
            return _named(run, event.body.phase) | _noted(level, message, event.body.details)
        case bodies.Warned(issue):
            return _named(run, event.body.phase) | _noted("WARN", issue, event.body.details)
        case bodies.ErrorNoted(description):
            return _named(run, event.body.phase) | _noted("ERROR", description, event.body.details)
    return _ending(run) if event.ends_run else {}


def _named(run: RunState, phase: str) -> Json:
    return {"phase_name" if run.kind is RunKind.OPERATION else "stage_name": phase} if phase else {}


def _phase(run: RunState, name: str) -> Json:
    phase = run.phase(name)
    return {
        "current_activity": phase.activity,
        "phase_progress": percent(phase.percent),
        "records_processed": phase.records if phase.records is not None else phase.done,
        "total_records": phase.total,
        "duration": duration(phase.duration_s),
    }


def _noted(level: bodies.Level, message: str, details: Json) -> Json:
    return {"level": words.LEVELS[level], "message": message, "details": struct_or_none(details)}


def _ending(run: RunState) -> Json:
    cancelled = run.receipt is not None
    return {
        "duration": duration(took_s(run)),
        "error": error_of(run),
        "cancelled_by": (run.cancel.by or None) if cancelled and run.cancel else None,
        "reason": (run.cancel.reason or None) if cancelled and run.cancel else None,
        "phases_kept": run.receipt.phases_kept if run.receipt else (),
        "results_url": results_url(run),
    }


def results_url(run: RunState) -> str:
    """Where the results are over REST, relative to the service's address."""
    noun = "async/operation" if run.kind is RunKind.OPERATION else "execution/job"
    return f"{api(run)}/{noun}/{run.run_id}/results"
