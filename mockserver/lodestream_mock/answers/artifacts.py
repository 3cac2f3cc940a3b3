"""ArtifactService: the files of a run, made up but valid, the same bytes every time."""

from collections.abc import AsyncIterator

from lodestream.errors import ArtifactNotFound, InvalidField, Violation
from lodestream.v1 import artifact_pb2 as artifact
from lodestream.v1.common_pb2 import ArtifactType
from lodestream_mock.answers.call import Call, answers, streams
from lodestream_mock.answers.unknown import missing, run_of
from lodestream_mock.play import typed
from lodestream_mock.play.artifacts import MEDIA_TYPES, content, download_path, ending, sha256, zipped
from lodestream_mock.play.as_results import outputs
from lodestream_mock.play.run import Run
from lodestream_mock.scenarios.story import ArtifactStory

_CHUNK = 1 << 20
_ALL = "all.zip"


@answers("ListArtifacts")
def list_artifacts(call: Call, request: artifact.ListArtifactsRequest) -> artifact.ListArtifactsResponse:
    """In the order they are stored; none before the run's end."""
    run = run_of(call, request.run_id)
    described = [_described(call, run, file, request) for file in _files(call, run)]
    return artifact.ListArtifactsResponse(artifacts=described)


@streams("DownloadArtifact")
async def download_artifact(
    call: Call, request: artifact.DownloadArtifactRequest
) -> AsyncIterator[artifact.DownloadArtifactResponse]:
    """Information first, then the bytes from `offset`. Raises ArtifactNotFound, InvalidField."""
    run = run_of(call, request.run_id)
    files = {file.artifact_id: file for file in _files(call, run)}
    if files:
        files[_ALL] = ArtifactStory(_ALL, "All artifacts", "Dataset", "ZIP", "One zip of all artifacts")
    file = files.get(request.artifact_id)
    if file is None:
        raise missing(call, ArtifactNotFound, request.artifact_id, list(files), "artifact of this run")
    data = _bytes(call, run, file)
    if request.offset > len(data):
        raise InvalidField.of(Violation("offset", f"the file has {len(data)} bytes; give 0 to {len(data)}"))
    yield artifact.DownloadArtifactResponse(artifact=_described(call, run, file, request))
    end = request.offset + request.length if request.HasField("length") else len(data)
    for begin in range(request.offset, min(end, len(data)), _CHUNK):
        yield artifact.DownloadArtifactResponse(chunk=data[begin : min(begin + _CHUNK, end)])


def _files(call: Call, run: Run) -> list[ArtifactStory]:
    played = call.session.played(run, call.language)
    # The pages show the results of their runs while these still run, so their files are there from the start.
    ended = call.session.age(run) >= played.end.at or call.session.pinned
    return outputs(played) if ended else []


def _bytes(call: Call, run: Run, file: ArtifactStory) -> bytes:
    if file.artifact_id == _ALL:
        return zipped({other.artifact_id: content(other, run.run_id) for other in _files(call, run)})
    return content(file, run.run_id)


def _described(
    call: Call,
    run: Run,
    file: ArtifactStory,
    request: artifact.ListArtifactsRequest | artifact.DownloadArtifactRequest,
) -> artifact.Artifact:
    data, played = _bytes(call, run, file), call.session.played(run)
    return artifact.Artifact(
        artifact_id=file.artifact_id,
        run_id=run.run_id,
        name=file.name,
        type=typed.number(ArtifactType.DESCRIPTOR, file.type),
        kind=file.kind or None,
        file_name=file.artifact_id,
        format=file.format,
        media_type=MEDIA_TYPES.get(ending(file), "application/octet-stream"),
        size_bytes=len(data),
        sha256=sha256(data),
        phase=played.story.phases[-1].name if played.story.phases else None,
        description=file.description or None,
        date_created=typed.instant(run.created + played.end.at),
        download_url=download_path(request.tenant_id, request.project_id, run, file.artifact_id),
    )
