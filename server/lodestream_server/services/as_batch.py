"""A batch as messages of the contract, with what is to be expected of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lodestream.v1 import batch_pb2
from lodestream_server.runs.batch import BatchState, Step, remaining
from lodestream_server.runs.bodies import Range
from lodestream_server.runs.progress import remaining_s
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.common import api, completion, error_of
from lodestream_server.runs.shapes.values import duration_range, percent, timestamp
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State

_pb = batch_pb2


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to come: expected starts by run id, and the span until the last operation should have ended."""

    starts: Mapping[str, datetime]
    span: Range | None
    done: datetime | None

    @classmethod
    def of(cls, state: BatchState, queued: Mapping[str, datetime | None], now: datetime) -> "Outlook":
        """From what the queue expects of waiting operations, and from the estimates of all."""
        left = {run.run_id: _left(run, now) for run in state.runs}
        span = None if state.has_ended else remaining(state, left)
        begins = max((start for start in queued.values() if start), default=now)
        done = completion(begins, span) if span else None
        return cls(_starts(state, queued, left, now), span, done)


def as_submitted_batch(state: BatchState, outlook: Outlook) -> _pb.SubmitBatchResponse:
    """The answer to a submission."""
    batch = state.batch
    return _pb.SubmitBatchResponse(
        batch_id=batch.batch_id,
        batch_name=batch.name,
        status=words.OPERATION_STATUSES[state.state],
        operations=_operations(state, outlook),
        total_operations=len(batch.steps),
        estimated_batch_duration=duration_range(outlook.span),
        estimated_batch_completion=timestamp(outlook.done),
        batch_start_time=timestamp(batch.created),
        tracking_url=f"{api(state.runs[0])}/async/batch/{batch.batch_id}",
    )


def as_batch(state: BatchState, outlook: Outlook) -> _pb.GetBatchResponse:
    """The batch as it is now."""
    batch, runs = state.batch, state.runs
    return _pb.GetBatchResponse(
        batch_id=batch.batch_id,
        batch_name=batch.name,
        batch_description=batch.description or None,
        status=words.OPERATION_STATUSES[state.state],
        progress=percent(state.percent),
        operations=_operations(state, outlook),
        total_operations=len(runs),
        completed_operations=sum(run.state is State.COMPLETED for run in runs),
        failed_operations=sum(run.has_ended and run.state is not State.COMPLETED for run in runs),
        estimated_batch_duration=duration_range(outlook.span),
        estimated_batch_completion=timestamp(outlook.done),
        batch_start_time=timestamp(batch.created),
        batch_end_time=timestamp(state.ended),
    )


def _operations(state: BatchState, outlook: Outlook) -> list[_pb.BatchOperation]:
    return [_operation(step, run, outlook) for step, run in zip(state.batch.steps, state.runs, strict=True)]


def _operation(step: Step, run: RunState, outlook: Outlook) -> _pb.BatchOperation:
    return _pb.BatchOperation(
        operation_key=step.key,
        operation_id=run.run_id,
        status=words.OPERATION_STATUSES[run.state],
        dependencies=step.needs,
        estimated_duration=duration_range(run.estimate),
        estimated_start_time=timestamp(outlook.starts.get(run.run_id)),
        progress=percent(run.percent),
        start_time=timestamp(run.started),
        end_time=timestamp(run.ended),
        error=error_of(run),
    )


def _left(run: RunState, now: datetime) -> Range | None:
    """How long the run will still take; None when nothing is known."""
    if run.has_ended:
        return Range(0.0, 0.0)
    if run.at_work:
        left = remaining_s(run, now)
        return None if left is None else Range(left, left)
    return run.estimate


def _starts(
    state: BatchState, queued: Mapping[str, datetime | None], left: Mapping[str, Range | None], now: datetime
) -> dict[str, datetime]:
    """When those that have not started should; absent where something before them is unknown."""
    by_key = {step.key: (step, run) for step, run in zip(state.batch.steps, state.runs, strict=True)}
    ends: dict[str, datetime | None] = {}
    starts: dict[str, datetime] = {}

    def end_of(key: str) -> datetime | None:
        if key not in ends:
            step, run = by_key[key]
            before = [end_of(need) for need in step.needs]
            begin: datetime | None = now
            if run.state is State.BLOCKED:
                begin = None if None in before else max((one for one in before if one), default=now)
            elif run.state is State.QUEUED:
                begin = queued.get(run.run_id)
            if begin is not None and run.started is None and not run.has_ended:
                starts[run.run_id] = begin
            span = left[run.run_id]
            ends[key] = None if begin is None or span is None else begin + timedelta(seconds=span.high_s)
        return ends[key]

    for key in by_key:
        end_of(key)
    return starts
