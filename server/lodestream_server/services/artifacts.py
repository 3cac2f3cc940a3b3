"""ArtifactService: lists the files of a run and hands them out in pieces."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from lodestream.errors import ArtifactNotFound, InvalidField, RunNotFinished, Violation
from lodestream.v1 import artifact_pb2, artifact_pb2_grpc
from lodestream_server.engine.engine import Engine
from lodestream_server.grpc_door import call
from lodestream_server.runs.shapes.common import artifact_url
from lodestream_server.runs.shapes.values import timestamp
from lodestream_server.runs.state import RunState
from lodestream_server.services.archives import Archive, Archives
from lodestream_server.services.as_artifact import as_artifact
from lodestream_server.services.as_results import ALL
from lodestream_server.store.reading import Scope

_pb = artifact_pb2
#: Half of what the contract allows: large enough that the disk sets the pace, small enough for anybody's memory.
_PIECE: Final = 512 * 1024


class ArtifactService(artifact_pb2_grpc.ArtifactServiceServicer):
    """See the contract; every method raises what its comment there names."""

    def __init__(self, engine: Engine, archives: Archives) -> None:
        self._engine = engine
        self._archives = archives

    async def ListArtifacts(self, request: _pb.ListArtifactsRequest, context: Any) -> _pb.ListArtifactsResponse:
        """Files of a run in the order they were stored."""
        scope = call.current().scope
        run = await self._engine.get(scope, request.run_id)
        artifacts = await self._engine.artifacts(scope, request.run_id)
        return _pb.ListArtifactsResponse(artifacts=[as_artifact(artifact, run) for artifact in artifacts])

    async def DownloadArtifact(
        self, request: _pb.DownloadArtifactRequest, context: Any
    ) -> AsyncIterator[_pb.DownloadArtifactResponse]:
        """The bytes of a file in order: information first, then chunks."""
        try:
            path, described = await self._find(call.current().scope, request)
            file = await asyncio.to_thread(os.open, path, os.O_RDONLY)
        except FileNotFoundError:  # removed since it was found: too old to keep, or not to be kept
            raise ArtifactNotFound from None
        try:
            async for piece in _pieces(file, described, request):
                yield piece
        finally:
            os.close(file)

    async def _find(self, scope: Scope, request: _pb.DownloadArtifactRequest) -> tuple[Path, _pb.Artifact]:
        run = await self._engine.get(scope, request.run_id)
        if request.artifact_id == ALL:
            archive = await self._all(scope, run)
            return archive.path, _described(archive, run)
        artifact = await self._engine.artifact(scope, request.artifact_id)
        if artifact.run_id != run.run_id:
            raise ArtifactNotFound
        return self._engine.artifact_path(artifact), as_artifact(artifact, run)

    async def _all(self, scope: Scope, run: RunState) -> Archive:
        if not run.has_ended:
            raise RunNotFinished(f"The run is {run.state}; the zip of all its files is there when it has ended.")
        artifacts = await self._engine.artifacts(scope, run.run_id)
        if not artifacts:
            raise ArtifactNotFound("The run produced no files.")
        return await self._archives.of(run, artifacts)


async def _pieces(
    file: int, described: _pb.Artifact, request: _pb.DownloadArtifactRequest
) -> AsyncIterator[_pb.DownloadArtifactResponse]:
    size, at = described.size_bytes, request.offset
    if at > size:
        raise InvalidField.of(Violation("offset", f"lies beyond the end of the file, which has {size} bytes"))
    end = min(size, at + request.length) if request.HasField("length") else size
    yield _pb.DownloadArtifactResponse(artifact=described)
    while at < end and (piece := await asyncio.to_thread(os.pread, file, min(_PIECE, end - at), at)):
        at += len(piece)
        yield _pb.DownloadArtifactResponse(chunk=piece)


def _described(archive: Archive, run: RunState) -> _pb.Artifact:
    return _pb.Artifact(
        artifact_id=ALL,
        run_id=run.run_id,
        name=f"All files of {run.name}",
        file_name=f"{run.run_id}.zip",
        format="ZIP",
        media_type="application/zip",
        size_bytes=archive.size_bytes,
        sha256=archive.sha256,
        date_created=timestamp(run.ended),
        download_url=artifact_url(run, ALL),
    )
