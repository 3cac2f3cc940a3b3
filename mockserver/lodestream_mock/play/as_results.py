"""What a run produced, as both APIs show it: a documented result as the story names one, else computed; partial for
runs that failed or were cancelled. Downloads lead to this server.
"""

from typing import Any, TypeVar

from google.protobuf.message import Message

from lodestream import documented, wire
from lodestream.v1 import job_pb2 as job
from lodestream.v1 import operation_pb2 as operation
from lodestream.v1.common_pb2 import ArtifactType, OperationType, StageStatus
from lodestream_mock.play import typed
from lodestream_mock.play.artifacts import content, download_path
from lodestream_mock.play.as_job import error_of, phases_done
from lodestream_mock.play.moment import Moment, moment, stage_status
from lodestream_mock.play.played import Played
from lodestream_mock.scenarios.story import ArtifactStory, Kind

M = TypeVar("M", bound=Message)


def as_job_results(played: Played, tenant: str, project: str, language: wire.Language) -> job.GetJobResultsResponse:
    """GetJobResults' answer for a job that has ended."""
    now = moment(played, played.end.at)
    out = _told(played, job.GetJobResultsResponse, language)
    out.job_id = played.run.run_id
    out.status = typed.job_status(now.state)
    out.completion_time.CopyFrom(typed.instant(played.run.created + played.end.at))
    out.total_duration.CopyFrom(typed.duration(now.elapsed))
    out.success = played.end.kind is Kind.COMPLETED
    files = outputs(played)
    out.summary.outputs_generated = len(files)
    out.summary.records_processed = max((phase.records or 0 for phase in played.story.phases), default=0)
    out.results.Clear()
    out.results.SetInParent()
    for index, file in enumerate(files):
        target = out.results.primary_output if index == 0 else out.results.additional_outputs.add()
        target.CopyFrom(
            job.GetJobResultsResponse.Output(
                type=file.kind or file.type,
                title=file.name,
                format=file.format,
                size_bytes=len(content(file, played.run.run_id)),
                download_url=download_path(tenant, project, played.run, file.artifact_id),
                artifact_id=file.artifact_id,
            )
        )
    stages = {p.name: dict(p.results or p.metrics) for p in _completed(played, now) if p.results or p.metrics}
    if found := typed.struct(stages):
        out.stage_results.CopyFrom(found)
    if error := error_of(played, now):
        out.error.CopyFrom(error)
    return out


def as_operation_results(
    played: Played, tenant: str, project: str, language: wire.Language
) -> operation.GetOperationResultsResponse:
    """GetOperationResults' answer for an operation that has ended."""
    story, now = played.story, moment(played, played.end.at)
    out = _told(played, operation.GetOperationResultsResponse, language)
    out.operation_id = played.run.run_id
    kind = typed.type_of_work(OperationType.DESCRIPTOR, "operation_type", story.type)
    out.MergeFrom(operation.GetOperationResultsResponse(**kind))
    out.operation_name = story.name
    out.status = typed.operation_status(now.state)
    out.completion_time.CopyFrom(typed.instant(played.run.created + played.end.at))
    out.total_duration.CopyFrom(typed.duration(now.elapsed))
    out.success = played.end.kind is Kind.COMPLETED
    out.summary.SetInParent()
    if not out.phase_results:
        for phase in _completed(played, now):
            entry = out.phase_results.add(phase_name=phase.name, status=StageStatus.STAGE_STATUS_COMPLETED)
            if results := typed.struct(phase.results):
                entry.results.CopyFrom(results)
    del out.artifacts[:]
    for file in outputs(played):
        out.artifacts.add(
            name=file.name,
            type=typed.number(ArtifactType.DESCRIPTOR, file.type),
            format=file.format,
            size_bytes=len(content(file, played.run.run_id)),
            download_url=download_path(tenant, project, played.run, file.artifact_id),
            description=file.description or None,
            artifact_id=file.artifact_id,
        )
    if error := error_of(played, now):
        out.error.CopyFrom(error)
    return out


def outputs(played: Played) -> list[ArtifactStory]:
    """Files that there are once the run has ended: all of them, or one zip of what the finished phases left."""
    if played.end.kind is Kind.COMPLETED:
        return list(played.story.artifacts)
    if not phases_done(played):
        return []
    return [ArtifactStory("partial-results.zip", "Partial results", "Dataset", "ZIP", "What the finished phases left")]


def _told(played: Played, message_type: type[M], language: wire.Language) -> M:
    """The documented result that the story names; an empty one for runs that did not complete."""
    if played.story.results and played.end.kind is Kind.COMPLETED:
        return wire.from_json(documented.example(played.story.results, language), message_type)
    return message_type()


def _completed(played: Played, now: Moment) -> list[Any]:
    wanted = StageStatus.STAGE_STATUS_COMPLETED
    return [phase for phase in played.story.phases if stage_status(played, phase, now) == wanted]
