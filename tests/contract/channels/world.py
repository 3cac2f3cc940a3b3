"""A server of the real contract for one test, behind either channel: its methods are the functions the test gives."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from lodestream.local_channel import LocalChannel
from lodestream.v1.dataset_pb2 import UploadDatasetRequest
from lodestream.v1.dataset_pb2_grpc import (
    DatasetServiceServicer,
    DatasetServiceStub,
    add_DatasetServiceServicer_to_server,
)
from lodestream.v1.job_pb2 import GetJobRequest, WatchJobRequest, WatchJobResponse
from lodestream.v1.job_pb2_grpc import JobServiceServicer, JobServiceStub, add_JobServiceServicer_to_server

# The contract has no RPC that streams both ways; this one carries bare bytes.
TALK = "/lodestream.tests.Talk/Talk"


@dataclass(frozen=True, slots=True)
class World:
    """A channel with stubs on it, and the server behind."""

    channel: aio.Channel
    server: aio.Server
    jobs: Any
    datasets: Any

    def talk(self, *arguments: Any, **options: Any) -> Any:
        """A call that streams bytes both ways."""
        return self.channel.stream_stream(TALK)(*arguments, **options)


class Worlds:
    """Starts worlds behind one kind of channel and stops them all at the end."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self._folder = folder
        self._numbers = itertools.count()
        self._stack = AsyncExitStack()

    async def __call__(
        self, interceptors: Sequence[aio.ServerInterceptor] = (), max_bytes: int | None = None, **methods: Any
    ) -> World:
        """`GetJob=function` and so on; what is not given stays as generated. `max_bytes` holds in both directions."""
        channel, server = await (self._network if self.kind == "network" else self._local)(interceptors, max_bytes)
        _register(methods, server)
        await server.start()
        self._stack.push_async_callback(server.stop, None)
        self._stack.push_async_callback(channel.close)
        return World(channel, server, JobServiceStub(channel), DatasetServiceStub(channel))

    async def _network(self, interceptors: Any, max_bytes: int | None) -> tuple[aio.Channel, aio.Server]:
        options = None if max_bytes is None else [("grpc.max_receive_message_length", max_bytes)]
        server = aio.server(interceptors=interceptors, options=options)
        address = f"unix:{self._folder}/{next(self._numbers)}.sock"
        server.add_insecure_port(address)
        return aio.insecure_channel(address, options=options), server

    async def _local(self, interceptors: Any, max_bytes: int | None) -> tuple[aio.Channel, aio.Server]:
        limits = {} if max_bytes is None else {"max_request_bytes": max_bytes, "max_answer_bytes": max_bytes}
        channel = LocalChannel(interceptors, **limits)
        return channel, channel

    async def stop(self) -> None:
        """Channels first, then their servers."""
        await self._stack.aclose()


def _register(methods: dict[str, Any], server: aio.Server) -> None:
    jobs, datasets = JobServiceServicer(), DatasetServiceServicer()
    talk = methods.pop("Talk", None)
    for name, function in methods.items():
        owner = next(service for service in (jobs, datasets) if hasattr(service, name))
        setattr(owner, name, function)
    add_JobServiceServicer_to_server(jobs, server)
    add_DatasetServiceServicer_to_server(datasets, server)
    if talk is not None:
        _, service, method = TALK.split("/")
        handlers: Any = {method: grpc.stream_stream_rpc_method_handler(talk)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))


class Waiting:
    """A servicer that waits for ever, and says when it began and how that ended."""

    def __init__(self):
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self.error: BaseException | None = None

    async def get_job(self, request, context):
        try:
            self.began.set()
            await asyncio.Event().wait()
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.ended.set()

    async def watch_job(self, request, context):
        try:
            yield frame("first")
            self.began.set()
            await asyncio.Event().wait()
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.ended.set()


def ask(job_id: str = "j1") -> GetJobRequest:
    """A request for a job."""
    return GetJobRequest(job_id=job_id)


def watch(job_id: str = "j1") -> WatchJobRequest:
    """A request for a job's stream."""
    return WatchJobRequest(request=ask(job_id))


def frame(token: Any) -> WatchJobResponse:
    """A frame of a job's stream, told apart by its token."""
    return WatchJobResponse(resume_token=str(token))


def chunk(piece: bytes) -> UploadDatasetRequest:
    """A piece of an upload."""
    return UploadDatasetRequest(chunk=piece)


async def chunks(*pieces: bytes) -> AsyncIterator[UploadDatasetRequest]:
    """An upload of these pieces."""
    for piece in pieces:
        yield chunk(piece)


async def outcome(awaitable: Any) -> tuple[str, str]:
    """Name of the code and details of a call that fails."""
    try:
        answer = await awaitable
    except aio.AioRpcError as error:
        return error.code().name, error.details() or ""
    raise AssertionError(f"the call did not fail but gave {answer!r}")


async def everything(stream: Any, of: Callable[[Any], Any] = lambda message: message.resume_token) -> list[Any]:
    """What the stream still brings."""
    return [of(message) async for message in stream]
