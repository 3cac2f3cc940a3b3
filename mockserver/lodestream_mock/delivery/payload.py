"""The body of a delivery: one happening of a run, as the contract's DeliveryPayload says it."""

from lodestream import wire
from lodestream.v1 import job_pb2 as job
from lodestream.v1 import operation_pb2 as operation
from lodestream.v1.common_pb2 import JobStatus, LogLevel, OperationStatus
from lodestream.v1.webhook_pb2 import DeliveryPayload
from lodestream_mock.answers.tokens import scope_of, token
from lodestream_mock.play import typed
from lodestream_mock.play.as_job import error_of, phases_done
from lodestream_mock.play.moment import Moment, moment, records
from lodestream_mock.play.played import Played
from lodestream_mock.scenarios.story import Happening, Kind


def payload(played: Played, index: int, event: str, scenario: str, tenant: str) -> DeliveryPayload:
    """What happening number `index + 1` of a run is told as; `event` is the word of the registration."""
    run, story, item = played.run, played.story, played.happenings[index]
    now = moment(played, item.at)
    out = DeliveryPayload(
        event=event,
        batch_id=run.batch_id or None,
        name=story.name,
        type=story.type,
        progress=now.percent,
        timestamp=typed.instant(run.created + item.at),
        resume_token=_token(played, index, scenario, tenant),
    )
    if story.kind == "operation":
        out.operation_id = run.run_id
        out.status = wire.words(OperationStatus.DESCRIPTOR, "en")[typed.operation_status(now.state)]
    else:
        out.job_id = run.run_id
        out.status = wire.words(JobStatus.DESCRIPTOR, "en")[typed.job_status(now.state)]
    out.data.SetInParent()
    _fill(out.data, played, item, now, tenant)
    return out


def _token(played: Played, index: int, scenario: str, tenant: str) -> str:
    """Continues WatchOperation or WatchJob of this run after the happening."""
    run = played.run
    if played.story.kind == "operation":
        asked = operation.GetOperationRequest(tenant_id=tenant, project_id=run.project_id, operation_id=run.run_id)
        return token(scope_of(scenario, "WatchOperation", asked), index + 1)
    wanted = job.GetJobRequest(tenant_id=tenant, project_id=run.project_id, job_id=run.run_id)
    return token(scope_of(scenario, "WatchJob", wanted), index + 1)


def _fill(data: DeliveryPayload.Data, played: Played, item: Happening, now: Moment, tenant: str) -> None:
    run, story = played.run, played.story
    match item.kind:
        case Kind.STARTED:
            data.attempt = 1
            data.worker_node = story.worker
        case Kind.PHASE_STARTED | Kind.PHASE_COMPLETED | Kind.PROGRESS:
            _of_phase(data, played, item, now)
        case Kind.WARNING | Kind.ERROR:
            data.level = LogLevel.LOG_LEVEL_WARN if item.kind is Kind.WARNING else LogLevel.LOG_LEVEL_ERROR
            data.message = item.text
            if details := typed.struct(item.details):
                data.details.CopyFrom(details)
        case Kind.CANCELLED:
            data.cancelled_by = played.end.by
            data.reason = played.end.text
            data.phases_kept.extend(phase.name for phase in story.phases[: phases_done(played)])
        case Kind.FAILED | Kind.TIMED_OUT:
            if error := error_of(played, now):
                data.error.CopyFrom(error)
        case Kind.COMPLETED:
            data.duration.CopyFrom(typed.duration(now.elapsed))
            family = "async/operation" if story.kind == "operation" else "execution/job"
            data.results_url = f"/api/{tenant}/{run.project_id}/{family}/{run.run_id}/results"


def _of_phase(data: DeliveryPayload.Data, played: Played, item: Happening, now: Moment) -> None:
    if played.story.kind == "operation":
        data.phase_name = item.phase
    else:
        data.stage_name = item.phase
    phase = next((phase for phase in played.story.phases if phase.name == item.phase), None)
    if phase is None:
        return
    if item.kind is Kind.PHASE_COMPLETED:
        data.duration.CopyFrom(typed.duration(phase.ends - phase.starts))
    if item.kind is Kind.PROGRESS:
        data.current_activity = phase.activity
        data.phase_progress = now.phase_percent
        if phase.records is not None:
            data.records_processed = records(phase, now.phase_percent)
            data.total_records = phase.records
