"""Datasets and artifacts behind the facade: a store that counts what arrives and hands out what it has."""

import hashlib
from contextlib import asynccontextmanager
from typing import Any

import httpx

from lodestream import rich_status
from lodestream.errors import LodestreamError
from lodestream.local_channel import LocalChannel
from lodestream.rest.app import Facade
from lodestream.rest.settings import RestSettings
from lodestream.v1 import artifact_pb2, artifact_pb2_grpc, dataset_pb2, dataset_pb2_grpc
from tests.integration.rest_world import PROJECT, TENANT

DATASETS = f"/api/{TENANT}/{PROJECT}/datasets"
ARTIFACTS = f"/api/{TENANT}/{PROJECT}/runs/run-1/artifacts"


class Datasets(dataset_pb2_grpc.DatasetServiceServicer):
    """Keeps the header and a digest; refuses after `refuse_after` chunks when told to."""

    def __init__(self) -> None:
        self.header: Any = None
        self.size = self.largest_chunk = 0
        self.digest = hashlib.sha256()
        self.complete = False
        self.error: LodestreamError | None = None
        self.refuse_after = 0

    async def UploadDataset(self, request_iterator, context):
        chunks = 0
        async for message in request_iterator:
            if message.WhichOneof("part") == "header":
                self.header = message.header
            elif message.WhichOneof("part") == "footer":
                self.complete = True
            else:
                chunks += 1
                self.size += len(message.chunk)
                self.largest_chunk = max(self.largest_chunk, len(message.chunk))
                self.digest.update(message.chunk)
            if self.error and chunks >= self.refuse_after:
                context.set_trailing_metadata(rich_status.to_trailers(self.error))
                await context.abort(rich_status.code_of(self.error), self.error.message)
        stored = dataset_pb2.Dataset(dataset_id="ds-1", dataset_name=self.header.dataset_name, size_bytes=self.size)
        return dataset_pb2.UploadDatasetResponse(dataset_id="ds-1", dataset=stored)


class Artifacts(artifact_pb2_grpc.ArtifactServiceServicer):
    """Files by id; notes the credential that each call brought."""

    def __init__(self, files: dict[str, tuple[str, bytes]]) -> None:
        self.files = files
        self.credentials: list[str] = []

    async def DownloadArtifact(self, request, context):
        self.credentials.append(str(dict(context.invocation_metadata()).get("authorization", "")))
        media_type, data = self.files[request.artifact_id]
        yield artifact_pb2.DownloadArtifactResponse(
            artifact=artifact_pb2.Artifact(
                file_name=request.artifact_id,
                media_type=media_type,
                size_bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
            )
        )
        end = request.offset + request.length if request.HasField("length") else len(data)
        for start in range(request.offset, end, 4):
            yield artifact_pb2.DownloadArtifactResponse(chunk=data[start : min(start + 4, end)])


@asynccontextmanager
async def asking(datasets: Datasets | None = None, artifacts: Artifacts | None = None, key: bytes | None = None):
    """An HTTP client whose requests go straight into the facade."""
    async with LocalChannel() as channel:
        dataset_pb2_grpc.add_DatasetServiceServicer_to_server(datasets or Datasets(), channel)
        artifact_pb2_grpc.add_ArtifactServiceServicer_to_server(artifacts or Artifacts({}), channel)
        transport = httpx.ASGITransport(Facade(channel, RestSettings(link_key=key)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client
