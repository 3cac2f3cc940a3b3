"""The happenings of a run as the typed events that WatchJob and WatchOperation deliver."""

from google.protobuf.struct_pb2 import Struct

from lodestream.v1.common_pb2 import ArtifactType, Priority
from lodestream.v1.event_pb2 import RunEvent
from lodestream_mock.play import typed
from lodestream_mock.play.artifacts import content
from lodestream_mock.play.as_job import phases_done
from lodestream_mock.play.as_tracking import as_log_entry
from lodestream_mock.play.moment import Moment, moment, records
from lodestream_mock.play.played import Played
from lodestream_mock.scenarios.story import Happening, Kind, Phase

_NOTES = {
    Kind.MILESTONE: RunEvent.Noted.KIND_MILESTONE,
    Kind.WARNING: RunEvent.Noted.KIND_WARNING,
    Kind.ERROR: RunEvent.Noted.KIND_ERROR,
}


def as_event(played: Played, index: int) -> RunEvent:
    """Happening number `index + 1` as a typed event."""
    item = played.happenings[index]
    now = moment(played, item.at)
    out = RunEvent(
        sequence=index + 1,
        timestamp=typed.instant(played.run.created + item.at),
        state=now.state,
        percentage=now.percent,
    )
    _fill(out, played, item, now)
    return out


def _fill(out: RunEvent, played: Played, item: Happening, now: Moment) -> None:
    story, run = played.story, played.run
    phase, order = _phase(played, item.phase)
    match item.kind:
        case Kind.SUBMITTED:
            out.submitted.name = story.name
            out.submitted.type = story.type
            out.submitted.priority = typed.number(Priority.DESCRIPTOR, story.priority)
            out.submitted.submitted_by = story.submitted_by
            out.submitted.phases.extend(p.name for p in story.phases)
        case Kind.WAITING:
            out.waiting.reason = "DEPENDENCY"
        case Kind.SCHEDULED:
            out.waiting.until.CopyFrom(typed.instant(run.created + run.scheduled))
            out.waiting.reason = "SCHEDULED"
        case Kind.QUEUED:
            out.queued.SetInParent()
        case Kind.STARTED:
            out.started.attempt = 1
            out.started.worker_node = story.worker
            out.started.execution_id = story.execution_id or f"exec-{run.run_id}"
        case Kind.PHASE_STARTED:
            out.phase_started.phase = item.phase
            out.phase_started.order = order
            _details(out.phase_started.details, item)
        case Kind.PHASE_COMPLETED:
            _completed(out.phase_completed, item, phase, order)
        case Kind.PROGRESS:
            _progressed(out.progressed, item, phase or now.phase, now)
        case Kind.SAMPLE:
            if now.usage:
                out.sampled.cpu_percent = now.usage.cpu
                out.sampled.memory_bytes = now.usage.memory
        case Kind.LOG:
            out.logged.CopyFrom(as_log_entry(item, run.created))
        case Kind.MILESTONE | Kind.WARNING | Kind.ERROR:
            out.noted.kind = _NOTES[item.kind]
            out.noted.description = item.text
            if item.phase:
                out.noted.phase = item.phase
            _details(out.noted.details, item)
        case Kind.ARTIFACT:
            _stored(out.artifact_stored, played, item)
        case Kind.CANCEL_REQUESTED:
            out.cancel_requested.requested_by = played.end.by
            out.cancel_requested.reason = item.text
            out.cancel_requested.force = bool(run.cancelled and run.cancelled.force)
        case _:
            _fill_end(out, played, now)


def _fill_end(out: RunEvent, played: Played, now: Moment) -> None:
    end, story = played.end, played.story
    match end.kind:
        case Kind.COMPLETED:
            out.completed.duration.CopyFrom(typed.duration(now.elapsed))
            out.completed.records_processed = max((p.records or 0 for p in story.phases), default=0)
        case Kind.FAILED if end.error:
            out.failed.CopyFrom(
                typed.run_error(end.error.reason, end.error.message, now.phase.name if now.phase else "")
            )
        case Kind.CANCELLED:
            out.cancelled.cancelled_by = end.by
            out.cancelled.reason = end.text
            out.cancelled.stopped_by = "FLAG" if now.started is not None else "NONE"
            out.cancelled.took.CopyFrom(typed.duration(0))
            out.cancelled.phases_kept.extend(p.name for p in story.phases[: phases_done(played)])
        case _:
            out.timed_out.timeout_at.CopyFrom(typed.instant(played.run.created + end.at))
            if now.phase:
                out.timed_out.phase = now.phase.name


def _completed(out: RunEvent.PhaseCompleted, item: Happening, phase: Phase | None, order: int) -> None:
    out.phase = item.phase
    out.order = order
    if phase:
        out.duration.CopyFrom(typed.duration(phase.ends - phase.starts))
        if phase.records is not None:
            out.records_processed = phase.records
        if results := typed.struct(phase.results or phase.metrics):
            out.results.CopyFrom(results)
        out.kept = phase.kept


def _progressed(out: RunEvent.Progressed, item: Happening, phase: Phase | None, now: Moment) -> None:
    out.phase = item.phase
    out.phase_percentage = now.phase_percent
    if phase and phase.records is not None:
        out.records_processed = records(phase, now.phase_percent)
        out.total_records = phase.records
    if phase:
        out.activity = phase.activity
    if now.usage:
        out.records_per_second = now.usage.rate


def _stored(out: RunEvent.ArtifactStored, played: Played, item: Happening) -> None:
    file = next(artifact for artifact in played.story.artifacts if artifact.artifact_id == item.text)
    out.artifact_id = file.artifact_id
    out.name = file.name
    out.type = typed.number(ArtifactType.DESCRIPTOR, file.type)
    out.format = file.format
    out.size_bytes = len(content(file, played.run.run_id))


def _details(target: Struct, item: Happening) -> None:
    if details := typed.struct(item.details):
        target.CopyFrom(details)


def _phase(played: Played, name: str) -> tuple[Phase | None, int]:
    for order, phase in enumerate(played.story.phases, 1):
        if phase.name == name:
            return phase, order
    return None, 0
