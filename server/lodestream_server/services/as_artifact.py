"""Stored artifacts as messages of the contract: by themselves, and in the results of operations and jobs."""

from pathlib import PurePosixPath
from typing import Final

from lodestream.v1 import artifact_pb2, job_pb2, operation_pb2
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.common import artifact_url
from lodestream_server.runs.shapes.values import timestamp
from lodestream_server.runs.state import RunState
from lodestream_server.store.records import Artifact

_MEDIA: Final = {
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".zip": "application/zip",
}


def file_name(artifact: Artifact) -> str:
    """The name to save it under."""
    return PurePosixPath(artifact.path).name


def media_type(name: str) -> str:
    """The media type of a file by its ending."""
    return _MEDIA.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")


def as_artifact(artifact: Artifact, run: RunState) -> artifact_pb2.Artifact:
    """The artifact by itself."""
    name = file_name(artifact)
    return artifact_pb2.Artifact(
        artifact_id=artifact.artifact_id,
        run_id=artifact.run_id,
        name=artifact.name,
        type=words.artifact_type(artifact.type),
        kind=artifact.kind or None,
        file_name=name,
        format=_format(artifact),
        media_type=media_type(name),
        size_bytes=artifact.size_bytes,
        sha256=artifact.sha256,
        record_count=artifact.records,
        phase=artifact.phase or None,
        description=artifact.description or None,
        date_created=timestamp(artifact.created),
        download_url=artifact_url(run, artifact.artifact_id),
    )


def as_operation_artifact(artifact: Artifact, run: RunState) -> operation_pb2.OperationArtifact:
    """The artifact in an operation's results."""
    return operation_pb2.OperationArtifact(
        name=artifact.name,
        type=words.artifact_type(artifact.type),
        format=_format(artifact),
        size_bytes=artifact.size_bytes,
        download_url=artifact_url(run, artifact.artifact_id),
        description=artifact.description or None,
        artifact_id=artifact.artifact_id,
    )


def as_job_output(artifact: Artifact, run: RunState) -> job_pb2.GetJobResultsResponse.Output:
    """The artifact in a job's results."""
    return job_pb2.GetJobResultsResponse.Output(
        type=artifact.kind or artifact.type,
        title=artifact.name,
        format=_format(artifact).lower(),
        record_count=artifact.records,
        size_bytes=artifact.size_bytes,
        download_url=artifact_url(run, artifact.artifact_id),
        artifact_id=artifact.artifact_id,
    )


def _format(artifact: Artifact) -> str:
    return (artifact.format or PurePosixPath(artifact.path).suffix.lstrip(".")).upper()
