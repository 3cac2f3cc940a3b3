"""OperationService: operations started, followed, cancelled and retried."""

from typing import Any

from lodestream import wire
from lodestream.errors import RunAlreadyEnded, RunNotFinished, RunNotRetryable
from lodestream.v1 import operation_pb2 as operation
from lodestream.v1.common_pb2 import DurationRange, OperationStatus
from lodestream_mock.answers import filters
from lodestream_mock.answers.call import CALLER, Call, answers
from lodestream_mock.answers.replay import echo, payload, told
from lodestream_mock.answers.submitting import new_run, once, type_of, word
from lodestream_mock.answers.subscriptions import add_callbacks
from lodestream_mock.answers.unknown import run_of
from lodestream_mock.play import typed
from lodestream_mock.play.artifacts import download_path
from lodestream_mock.play.as_job import phases_done
from lodestream_mock.play.as_operation import as_operation, as_operation_summary, operation_receipt, retryable
from lodestream_mock.play.as_results import as_operation_results, outputs
from lodestream_mock.play.moment import moment
from lodestream_mock.play.played import Played
from lodestream_mock.play.run import Run
from lodestream_mock.scenarios.story import Kind, Story


@answers("StartOperation")
def start_operation(call: Call, request: operation.StartOperationRequest) -> operation.StartOperationResponse:
    """The first one has the documented id and, in the documented scenario, the documented answer."""
    wire.with_defaults(request)
    return once(call, request, lambda: _start(call, request))


def _start(call: Call, request: operation.StartOperationRequest) -> operation.StartOperationResponse:
    session = call.session
    callbacks = request.callbacks
    run = new_run(
        call,
        "operation",
        session.scenario.submit["operation"],
        project_id=request.project_id,
        name=request.operation_name,
        description=request.operation_description,
        type=type_of(request, "operation_type"),
        priority=word(request, "priority"),
        timeout=request.timeout.seconds * 1000,
        callbacks={field.json_name: str(value) for field, value in callbacks.ListFields()},
    )
    add_callbacks(call, run)
    if session.pinned and run.number == 1:
        out = payload(call, "start-operation.response", operation.StartOperationResponse)
        echo(request, out)
    else:
        played = session.played(run, call.language)
        out = operation.StartOperationResponse(
            operation_id=run.run_id,
            operation_type=request.operation_type,
            custom_type=request.custom_type or None,
            operation_name=played.story.name,
            status=OperationStatus.OPERATION_STATUS_INITIATED,
            estimated_duration=estimate(played),
            estimated_completion=typed.instant(run.created + played.planned_end),
            tracking_url=f"/api/{request.tenant_id}/{request.project_id}/async/operation/{run.run_id}",
            priority=request.priority,
            date_created=typed.instant(run.created),
            resources_allocated=allocated(played.story),
        )
    out.webhooks_registered = len(callbacks.ListFields())
    out.timeout_at.CopyFrom(typed.instant(typed.epoch_ms(out.date_created) + request.timeout.seconds * 1000))
    return out


def estimate(played: Played) -> DurationRange:
    """How long an operation should take."""
    low, high = played.story.estimate or (played.planned_end, played.planned_end)
    return typed.span(low, high)


def allocated(story: Story) -> operation.ResourcesAllocated:
    """What a run may use."""
    return operation.ResourcesAllocated(cpu_units=story.cpu_units, memory_gb=story.memory_gb)


@answers("GetOperation")
def get_operation(call: Call, request: operation.GetOperationRequest) -> operation.GetOperationResponse:
    """A status request: the step clock moves on after it."""
    run = run_of(call, request.operation_id, "operation")
    out = told(call, run, "get-operation.response", operation.GetOperationResponse) or operation_now(call, run)
    call.session.step(run)
    return out


def operation_now(call: Call, run: Run) -> operation.GetOperationResponse:
    """The operation as computed from its story."""
    return as_operation(call.session.played(run, call.language), call.session.age(run))


@answers("ListOperations")
def list_operations(call: Call, request: operation.ListOperationsRequest) -> operation.ListOperationsResponse:
    """The documented page, or every operation of the session; parameters filter either."""
    session = call.session
    if session.pinned:
        out = payload(call, "list-operations.response", operation.ListOperationsResponse)
    else:
        out = operation.ListOperationsResponse(
            operations=[
                as_operation_summary(session.played(run, call.language), session.age(run))
                for run in session.of_kind("operation")
            ]
        )
        statuses = [entry.status for entry in out.operations]
        out.summary.total_operations = len(statuses)
        out.summary.running = statuses.count(OperationStatus.OPERATION_STATUS_RUNNING)
        out.summary.completed = statuses.count(OperationStatus.OPERATION_STATUS_COMPLETED)
        out.summary.failed = statuses.count(OperationStatus.OPERATION_STATUS_FAILED)
        out.summary.cancelled = statuses.count(OperationStatus.OPERATION_STATUS_CANCELLED)
    whole = len(out.operations)
    filters.only(out.operations, request, "status", "operation_type", "custom_type", "priority")
    filters.between(out.operations, request, "start_time")
    if request.HasField("include_details") and not request.include_details:
        for entry in out.operations:
            for name in ("resource_usage", "current_phase", "records_processed"):
                entry.ClearField(name)
    filters.page(out.operations, request, out, more_beyond=session.pinned and whole == len(out.operations))
    return out


@answers("CancelOperation")
def cancel_operation(call: Call, request: operation.CancelOperationRequest) -> operation.CancelOperationResponse:
    """A receipt; the same one again for an operation that is cancelled already. Raises RunAlreadyEnded."""
    session = call.session
    run = run_of(call, request.operation_id, "operation")
    played = session.played(run, call.language)
    pinned = told(call, run, "cancel-operation.response", operation.CancelOperationResponse)
    if session.age(run) >= played.end.at and played.end.kind is not Kind.CANCELLED and pinned is None:
        raise RunAlreadyEnded(f"The operation {run.run_id} has ended ({played.end.kind}); nothing is left to cancel.")
    if session.age(run) < played.end.at:
        run = session.cancel(run, CALLER, request.reason, request.force_termination)
    if pinned is not None:
        echo(request, pinned)
        return pinned
    return receipt(call, run, request.tenant_id, request.project_id, request)


def receipt(call: Call, run: Run, tenant_id: str, project_id: str, request: Any) -> operation.CancelOperationResponse:
    """The receipt of a cancelled operation, with what can be downloaded of it."""
    played = call.session.played(run, call.language)
    out = operation_receipt(played)
    if request.HasField("preserve_partial_results") and not request.preserve_partial_results:
        out.partial_results.Clear()
    else:
        urls = [download_path(tenant_id, project_id, run, file.artifact_id) for file in outputs(played)]
        out.partial_results.download_urls.extend(urls)
    return out


@answers("GetOperationResults")
def get_operation_results(
    call: Call, request: operation.GetOperationResultsRequest
) -> operation.GetOperationResultsResponse:
    """Raises RunNotFinished before the end, except for documented payloads; PhaseNotFound."""
    session = call.session
    run = run_of(call, request.operation_id, "operation")
    out = told(call, run, "get-operation-results.response", operation.GetOperationResultsResponse)
    if out is None:
        played = session.played(run, call.language)
        if session.age(run) < played.end.at:
            raise RunNotFinished(f"The operation {run.run_id} has not ended yet; its results are there when it has.")
        out = as_operation_results(played, request.tenant_id, request.project_id, call.language)
    filters.operation_results(request, out)
    if word(request, "format") == "download":
        out.download_url = download_path(request.tenant_id, request.project_id, run, "all.zip")
    return out


@answers("RetryOperation")
def retry_operation(call: Call, request: operation.RetryOperationRequest) -> operation.RetryOperationResponse:
    """A new operation that keeps the finished phases (resume) or none (restart). Raises RunNotRetryable."""
    wire.with_defaults(request)
    run = run_of(call, request.operation_id, "operation")
    return once(call, request, lambda: _retry(call, request, run))


def _retry(call: Call, request: operation.RetryOperationRequest, run: Run) -> operation.RetryOperationResponse:
    session = call.session
    played = session.played(run, call.language)
    if not session.pinned and not retryable(played, session.age(run)):
        raise RunNotRetryable(
            f"The operation {run.run_id} did not fail, time out or get cancelled; only such operations can be retried."
        )
    documented = told(call, run, "retry-operation.response", operation.RetryOperationResponse)
    done = phases_done(played) if documented is None else documented.preserved_results.phases_preserved
    kept = done if word(request, "retry_mode") == "resume" else 0
    new = new_run(
        call,
        "operation-retry",
        session.story(run).on_retry or run.story,
        project_id=request.project_id,
        name=run.name,
        type=run.type,
        priority=run.priority,
        timeout=request.new_timeout.seconds * 1000 if request.HasField("new_timeout") else None,
        kept=kept,
        original_id=run.run_id,
        retry_number=run.retry_number + 1,
    )
    if documented is not None and new.number == 1 and kept:
        echo(request, documented)
        return documented
    call.derived()
    again = session.played(new, call.language)
    out = operation.RetryOperationResponse(
        original_operation_id=run.run_id,
        new_operation_id=new.run_id,
        retry_mode=request.retry_mode,
        retry_number=new.retry_number,
        resume_from_phase=again.story.phases[kept].name if kept < len(again.story.phases) else None,
        status=OperationStatus.OPERATION_STATUS_INITIATED,
        estimated_duration=estimate(again),
        estimated_completion=typed.instant(new.created + again.planned_end),
        resources_allocated=allocated(again.story),
        retry_attempt_date=typed.instant(new.created),
    )
    out.preserved_results.phases_preserved = kept
    out.preserved_results.records_processed = max((p.records or 0 for p in again.story.phases[:kept]), default=0)
    out.preserved_results.progress_saved = moment(again, again.story.waits).percent if kept else 0
    return out
