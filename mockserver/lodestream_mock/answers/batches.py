"""BatchService: operations that wait for each other."""

from collections import Counter

from lodestream import wire
from lodestream.errors import DependencyProblem, RunAlreadyEnded, RunNotFound, Violation
from lodestream.v1 import batch_pb2 as batch
from lodestream.v1.common_pb2 import OperationStatus
from lodestream_mock.answers.call import CALLER, Call, answers
from lodestream_mock.answers.operations import receipt
from lodestream_mock.answers.replay import echo, payload
from lodestream_mock.answers.submitting import once, run_with_id, type_of, word
from lodestream_mock.answers.unknown import missing
from lodestream_mock.play import typed
from lodestream_mock.play.as_job import error_of
from lodestream_mock.play.as_operation import as_operation_summary
from lodestream_mock.play.moment import moment
from lodestream_mock.scenarios.story import BatchStory, Step
from lodestream_mock.session.batches import Batch
from lodestream_mock.session.ids import made_id

_ENDED = (
    OperationStatus.OPERATION_STATUS_COMPLETED,
    OperationStatus.OPERATION_STATUS_FAILED,
    OperationStatus.OPERATION_STATUS_CANCELLED,
    OperationStatus.OPERATION_STATUS_TIMEOUT,
)


@answers("SubmitBatch")
def submit_batch(call: Call, request: batch.SubmitBatchRequest) -> batch.SubmitBatchResponse:
    """Steps with documented keys play their stories, others the scenario's operation. Raises DependencyProblem,
    InvalidField."""
    wire.with_defaults(request)
    _acyclic(request)
    for index, operation in enumerate(request.operations):
        type_of(operation, "operation_type", f"operations[{index}].")  # before anything is there
    return once(call, request, lambda: _submit(call, request))


def _submit(call: Call, request: batch.SubmitBatchRequest) -> batch.SubmitBatchResponse:
    session = call.session
    batch_id, number = session.new_id("batch")
    story = next(item for item in session.scenario.batches if item.key == session.scenario.submit["batch"])
    steps = {step.key: step for step in story.steps}
    keys = {
        operation.operation_key: _step_id(call, steps.get(operation.operation_key), number)
        for operation in request.operations
    }
    for operation in request.operations:
        step = steps.get(operation.operation_key)
        run_with_id(
            call,
            keys[operation.operation_key],
            step.story if step else session.scenario.submit["operation"],
            project_id=request.project_id,
            name=operation.operation_name,
            type=type_of(operation, "operation_type"),
            priority=word(operation, "priority") or "Normal",
            timeout=operation.timeout.seconds * 1000 if operation.HasField("timeout") else None,
            dependencies=tuple(keys[key] for key in operation.dependencies),
            batch_id=batch_id,
            number=number,
        )
    made = Batch(
        batch_id=batch_id,
        name=request.batch_name,
        description=request.batch_description,
        began=session.now_ms,
        created=session.runs[next(iter(keys.values()))].created,
        keys=keys,
        stop_on_failure=request.failure_policy.stop_on_first_failure,
        project_id=request.project_id,
    )
    session.batches[batch_id] = made
    made.settle(session)
    if session.pinned and number == 1 and _as_documented(story, keys):
        out = payload(call, "submit-batch.response", batch.SubmitBatchResponse)
        echo(request, out)
        return out
    return _accepted(call, made, request)


def _step_id(call: Call, step: Step | None, batch_number: int) -> str:
    if step and step.run_id and batch_number == 1:
        return step.run_id
    number = call.session.count("operation-step")
    return made_id("operation", call.session.settings.seed, 1_000_000 + number)


def _as_documented(story: BatchStory, keys: dict[str, str]) -> bool:
    return list(keys) == [step.key for step in story.steps]


def _accepted(call: Call, made: Batch, request: batch.SubmitBatchRequest) -> batch.SubmitBatchResponse:
    now = batch_now(call, made)
    return batch.SubmitBatchResponse(
        batch_id=made.batch_id,
        batch_name=made.name,
        status=OperationStatus.OPERATION_STATUS_INITIATED,
        operations=now.operations,
        total_operations=now.total_operations,
        estimated_batch_duration=now.estimated_batch_duration,
        estimated_batch_completion=now.estimated_batch_completion,
        batch_start_time=typed.instant(made.created),
        tracking_url=f"/api/{request.tenant_id}/{request.project_id}/async/batch/{made.batch_id}",
    )


def _acyclic(request: batch.SubmitBatchRequest) -> None:
    keys = [operation.operation_key for operation in request.operations]
    twice = [key for key, count in Counter(keys).items() if count > 1]
    waits = {operation.operation_key: set(operation.dependencies) for operation in request.operations}
    violations = [Violation("operations", f"the key {key!r} is given twice") for key in twice]
    for index, operation in enumerate(request.operations):
        for unknown in [key for key in operation.dependencies if key not in waits]:
            fault = f"no operation of this batch has the key {unknown!r}; there are: {', '.join(keys)}"
            violations.append(Violation(f"operations[{index}].dependencies", fault))
    done: set[str] = set()
    while not violations and len(done) < len(waits):
        ready = {key for key, others in waits.items() if key not in done and others <= done}
        if not ready:
            rest = ", ".join(sorted(waits.keys() - done))
            violations.append(Violation("operations", f"these operations wait for each other: {rest}"))
        done |= ready
    if violations:
        raise DependencyProblem(violations[0].description, violations=violations)


def batch_of(call: Call, batch_id: str) -> Batch:
    """The batch of an id. Raises RunNotFound."""
    found = call.session.batches.get(batch_id)
    if found is None:
        raise missing(call, RunNotFound, batch_id, list(call.session.batches), "batch")
    return found


@answers("GetBatch")
def get_batch(call: Call, request: batch.GetBatchRequest) -> batch.GetBatchResponse:
    """A status request: the step clock moves on after it. No page shows this answer: it is derived."""
    found = batch_of(call, request.batch_id)
    out = batch_now(call, found)
    call.session.step(*(call.session.runs[run_id] for run_id in found.keys.values()))
    return out


def batch_now(call: Call, found: Batch) -> batch.GetBatchResponse:
    """The batch as it is now."""
    session = call.session
    names = {run_id: key for key, run_id in found.keys.items()}
    operations = [_operation(call, key, run_id, names) for key, run_id in found.keys.items()]
    statuses = [entry.status for entry in operations]
    ended = all(status in _ENDED for status in statuses)
    plays = [session.played(session.runs[run_id]) for run_id in found.keys.values()]
    last = max(played.end.at for played in plays)
    out = batch.GetBatchResponse(
        batch_id=found.batch_id,
        batch_name=found.name,
        batch_description=found.description or None,
        status=_status(statuses),
        progress=float(int(sum(entry.progress for entry in operations) / len(operations))),
        operations=operations,
        total_operations=len(operations),
        completed_operations=statuses.count(OperationStatus.OPERATION_STATUS_COMPLETED),
        failed_operations=sum(1 for status in statuses if status in _ENDED[1:]),
        batch_start_time=typed.instant(found.created),
    )
    if ended:
        out.batch_end_time.CopyFrom(typed.instant(found.created + last))
    else:
        left = last - (session.now_ms - found.began)
        out.estimated_batch_duration.CopyFrom(typed.span(left, left))
        out.estimated_batch_completion.CopyFrom(typed.instant(found.created + last))
    return out


def _status(statuses: list[OperationStatus.ValueType]) -> OperationStatus.ValueType:
    if all(status in _ENDED for status in statuses):
        for status in _ENDED[1:]:
            if status in statuses:
                return status
        return OperationStatus.OPERATION_STATUS_COMPLETED
    begun = any(s in (*_ENDED, OperationStatus.OPERATION_STATUS_RUNNING) for s in statuses)
    return OperationStatus.OPERATION_STATUS_RUNNING if begun else OperationStatus.OPERATION_STATUS_INITIATED


def _operation(call: Call, key: str, run_id: str, names: dict[str, str]) -> batch.BatchOperation:
    session = call.session
    run = session.runs[run_id]
    played, age = session.played(run, call.language), session.age(run)
    summary, now = as_operation_summary(played, age), moment(played, age)
    out = batch.BatchOperation(
        operation_key=key,
        operation_id=run_id,
        status=summary.status,
        dependencies=[names[other] for other in run.dependencies],
        progress=summary.progress,
        error=error_of(played, now),
    )
    if summary.HasField("start_time"):
        out.start_time.CopyFrom(summary.start_time)
    elif now.ended is None:
        out.estimated_start_time.CopyFrom(typed.instant(run.created + played.story.waits))
    if now.ended is None and played.story.estimate:
        out.estimated_duration.CopyFrom(typed.span(*played.story.estimate))
    if summary.HasField("end_time"):
        out.end_time.CopyFrom(summary.end_time)
    return out


@answers("CancelBatch")
def cancel_batch(call: Call, request: batch.CancelBatchRequest) -> batch.CancelBatchResponse:
    """Stops what has not ended; a receipt for each. The same receipt again afterwards. Raises RunAlreadyEnded."""
    session = call.session
    found = batch_of(call, request.batch_id)
    shelf = session.shelf("cancelled-batch")
    if found.batch_id in shelf:
        again: batch.CancelBatchResponse = batch.CancelBatchResponse.FromString(shelf[found.batch_id])
        return again
    running = [run_id for run_id in found.keys.values() if not _over(call, run_id)]
    if not running:
        raise RunAlreadyEnded(f"The batch {found.batch_id} has ended; nothing is left to cancel.")
    out = batch.CancelBatchResponse(
        batch_id=found.batch_id,
        status=OperationStatus.OPERATION_STATUS_CANCELLED,
        cancellation_time=typed.instant(found.created + session.now_ms - found.began),
        reason=request.reason or None,
        cancelled_by=CALLER,
    )
    for run_id in running:
        run = session.cancel(session.runs[run_id], CALLER, request.reason, request.force_termination)
        out.operations.append(receipt(call, run, request.tenant_id, request.project_id, request))
    shelf[found.batch_id] = out.SerializeToString()
    return out


def _over(call: Call, run_id: str) -> bool:
    run = call.session.runs[run_id]
    return call.session.age(run) >= call.session.played(run).end.at
