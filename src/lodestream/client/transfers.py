"""Files in both directions, in constant memory: uploads of event logs, downloads of artifacts.

Called by the client and the handles of runs. A download that breaks off goes on where it stopped; a file appears under
its name only when its size and checksum are right.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, Final

from grpc.aio import AioRpcError

from lodestream.client.calls import Caller
from lodestream.client.endings import Ending
from lodestream.client.failures import is_passing
from lodestream.client.problems import BrokenDownload
from lodestream.v1.artifact_pb2 import Artifact, DownloadArtifactRequest, DownloadArtifactResponse
from lodestream.v1.artifact_pb2_grpc import ArtifactServiceStub
from lodestream.v1.dataset_pb2 import UploadDatasetRequest, UploadDatasetResponse
from lodestream.v1.dataset_pb2_grpc import DatasetServiceStub

#: What the contract allows a chunk to be.
CHUNK_BYTES: Final = 1 << 20
#: Tries in a row of a download without a single new byte.
TRIES: Final = 6

#: Called with bytes moved so far and bytes in all (None when not known).
Moved = Callable[[int, int | None], None]


async def upload(
    caller: Caller, header: UploadDatasetRequest.Header, source: BinaryIO, total: int | None, moved: Moved | None
) -> UploadDatasetResponse:
    """Sends a header, a file a chunk at a time as the server takes them, and its checksum. Never sent twice by itself.

    Raises what the server refuses the file with, also in the middle of it.
    """
    call = caller.stub(DatasetServiceStub).UploadDataset()
    ending = Ending(call)
    try:
        try:
            async for piece in _pieces(header, source, total, moved):
                await call.write(piece)
            await call.done_writing()
        except asyncio.InvalidStateError:
            pass  # the server has answered before the end of the file; its status says why
        return await call
    except AioRpcError as status:
        raise caller.error_of(await ending.of(status)) from None
    finally:
        call.cancel()


async def _pieces(
    header: UploadDatasetRequest.Header, source: BinaryIO, total: int | None, moved: Moved | None
) -> AsyncIterator[UploadDatasetRequest]:
    yield UploadDatasetRequest(header=header)
    hasher, sent = hashlib.sha256(), 0
    while chunk := await asyncio.to_thread(source.read, CHUNK_BYTES):
        hasher.update(chunk)
        yield UploadDatasetRequest(chunk=chunk)
        sent += len(chunk)
        if moved is not None:
            moved(sent, total)
    yield UploadDatasetRequest(footer=UploadDatasetRequest.Footer(sha256=hasher.hexdigest()))


async def download(
    caller: Caller, request: DownloadArtifactRequest, artifact: Artifact, path: Path, moved: Moved | None = None
) -> Path:
    """Writes an artifact to `path`, replacing what was there. Raises BrokenDownload when size or checksum differ."""
    part = path.with_name(f".{path.name}.part")
    hasher, got, tries = hashlib.sha256(), 0, 0
    try:
        with part.open("wb") as file:
            while tries < TRIES:
                before = got
                try:
                    async for chunk in _chunks(caller, request, got):
                        file.write(chunk)
                        hasher.update(chunk)
                        got += len(chunk)
                        if moved is not None:
                            moved(got, artifact.size_bytes)
                    break
                except AioRpcError as status:
                    tries = tries + 1 if got == before else 0
                    if tries >= TRIES or not is_passing(status):
                        raise caller.error_of(status) from None
                await asyncio.sleep(0.1 * 2**tries)
        if got != artifact.size_bytes or (artifact.sha256 and hasher.hexdigest() != artifact.sha256.lower()):
            raise BrokenDownload(f"{path.name}: {got} of {artifact.size_bytes} bytes arrived, or other ones.")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


async def _chunks(caller: Caller, request: DownloadArtifactRequest, offset: int) -> AsyncIterator[bytes]:
    wanted = DownloadArtifactRequest()
    wanted.CopyFrom(request)
    wanted.offset = offset
    call = caller.stub(ArtifactServiceStub).DownloadArtifact(wanted)
    try:
        while isinstance(piece := await call.read(), DownloadArtifactResponse):
            if piece.chunk:
                yield piece.chunk
    finally:
        call.cancel()


def safe_name(name: str, fallback: str) -> str:
    """A file name that stays in its folder, whatever the server sent."""
    bare = re.sub(r"[\x00-\x1f/\\:]", "_", name).strip(" .")
    return bare[:200] or fallback


def free_names(artifacts: list[Artifact]) -> list[tuple[Artifact, str]]:
    """Each artifact with its file name; the second of the same name becomes "name-2.ext"."""
    taken: dict[str, int] = {}
    named: list[tuple[Artifact, str]] = []
    for artifact in artifacts:
        name = safe_name(artifact.file_name or artifact.name, artifact.artifact_id)
        count = taken[name.lower()] = taken.get(name.lower(), 0) + 1
        stem, suffix = Path(name).stem, Path(name).suffix
        named.append((artifact, name if count == 1 else f"{stem}-{count}{suffix}"))
    return named
