"""A little server behind the facade: servicers that answer with documented payloads, note what they were asked, and
fail on demand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from grpc import StatusCode

from lodestream import documented, rich_status
from lodestream.errors import LodestreamError
from lodestream.local_channel import LocalChannel
from lodestream.rest.app import Facade
from lodestream.rest.settings import RestSettings
from lodestream.v1 import (
    job_pb2,
    job_pb2_grpc,
    operation_pb2,
    operation_pb2_grpc,
    tracking_pb2,
    tracking_pb2_grpc,
)
from lodestream.wire import from_json

TENANT, PROJECT = "660e8400-e29b-41d4-a716-446655440000", "770e8400-e29b-41d4-a716-446655440000"
ASYNC = f"/api/{TENANT}/{PROJECT}/async"
EXECUTION = f"/api/{TENANT}/{PROJECT}/execution"


def payload(name: str, message_type: Any) -> Any:
    """A documented payload as a message."""
    return from_json(documented.example(name), message_type)


class Server:
    """What the servicers share: the last request with its metadata, and the error to fail with, if any."""

    def __init__(self) -> None:
        self.asked: Any = None
        self.metadata: dict[str, str] = {}
        self.error: LodestreamError | Exception | None = None
        self.answers: dict[str, Any] = {}
        self.frames: asyncio.Queue[Any] = asyncio.Queue()
        self.unwatched = asyncio.Event()

    async def note(self, request: Any, context: Any) -> None:
        """Keeps what came, and fails when told to."""
        self.asked = request
        self.metadata = {key: str(value) for key, value in context.invocation_metadata()}
        match self.error:
            case None:
                return
            case LodestreamError() as error:
                context.set_trailing_metadata(rich_status.to_trailers(error))
                await context.abort(rich_status.code_of(error), error.message)
            case error:
                raise error


class Operations(operation_pb2_grpc.OperationServiceServicer):
    """Starts nothing, and says what it was asked."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def StartOperation(self, request, context):
        await self.server.note(request, context)
        return payload("start-operation.response", operation_pb2.StartOperationResponse)

    async def GetOperation(self, request, context):
        await self.server.note(request, context)
        answer = payload("get-operation.response", operation_pb2.GetOperationResponse)
        answer.MergeFrom(self.server.answers.get("GetOperation", operation_pb2.GetOperationResponse()))
        return answer

    async def ListOperations(self, request, context):
        await self.server.note(request, context)
        return payload("list-operations.response", operation_pb2.ListOperationsResponse)

    async def CancelOperation(self, request, context):
        await self.server.note(request, context)
        return payload("cancel-operation.response", operation_pb2.CancelOperationResponse)

    async def GetOperationResults(self, request, context):
        await self.server.note(request, context)
        answer = payload("get-operation-results.response", operation_pb2.GetOperationResultsResponse)
        answer.artifacts[0].download_url = f"/api/{TENANT}/{PROJECT}/runs/op-1/artifacts/map.svg"
        return answer

    async def WatchOperation(self, request, context):
        await self.server.note(request, context)
        self.server.unwatched.clear()
        try:
            while (frame := await self.server.frames.get()) is not None:
                if isinstance(frame, Exception):
                    raise frame
                yield frame
        finally:
            self.server.unwatched.set()


class Tracking(tracking_pb2_grpc.TrackingServiceServicer):
    """Logs and progress, as documented."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def GetJobLogs(self, request, context):
        await self.server.note(request, context)
        return payload("get-job-logs.response", tracking_pb2.GetJobLogsResponse)

    async def GetJobProgress(self, request, context):
        await self.server.note(request, context)
        return payload("get-job-progress.response", tracking_pb2.GetJobProgressResponse)

    async def TrackJobs(self, request, context):
        await self.server.note(request, context)
        return payload("track-jobs.response", tracking_pb2.TrackJobsResponse)

    async def WatchJobProgress(self, request, context):
        await self.server.note(request, context)
        await context.abort(StatusCode.UNAVAILABLE, "secret text of a proxy")
        yield  # makes it a stream


class Jobs(job_pb2_grpc.JobServiceServicer):
    """Everything of jobs but submitting is not built."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def SubmitJob(self, request, context):
        await self.server.note(request, context)
        return payload("submit-job.response", job_pb2.SubmitJobResponse)


def local_channel(server: Server) -> LocalChannel:
    """A channel to the servicers in this process."""
    channel = LocalChannel()
    operation_pb2_grpc.add_OperationServiceServicer_to_server(Operations(server), channel)
    tracking_pb2_grpc.add_TrackingServiceServicer_to_server(Tracking(server), channel)
    job_pb2_grpc.add_JobServiceServicer_to_server(Jobs(server), channel)
    return channel


@asynccontextmanager
async def asking(server: Server, settings: RestSettings | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client whose requests go straight into the facade."""
    async with local_channel(server) as channel:
        transport = httpx.ASGITransport(Facade(channel, settings), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client
