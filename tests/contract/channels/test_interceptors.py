"""Server interceptors: the same classes stand before the servicers of both channels."""

import grpc
import pytest
from grpc import StatusCode, aio

from lodestream.v1.dataset_pb2 import UploadDatasetResponse
from lodestream.v1.job_pb2 import GetJobResponse
from tests.contract.channels.world import ask, chunks, everything, frame, outcome, watch


class Noting(aio.ServerInterceptor):
    """Writes down what passes."""

    def __init__(self, name, notes):
        self.name = name
        self.notes = notes

    async def intercept_service(self, continuation, handler_call_details):
        keys = [entry.key for entry in handler_call_details.invocation_metadata if entry.key != "user-agent"]
        self.notes.append((self.name, handler_call_details.method, keys))
        return await continuation(handler_call_details)


class Guard(aio.ServerInterceptor):
    """Lets nobody in without the word; answers in each method's own kind."""

    async def intercept_service(self, continuation, handler_call_details):
        handler = await continuation(handler_call_details)
        if handler is None or ("word", "swordfish") in handler_call_details.invocation_metadata:
            return handler

        async def refuse(request, context):
            await context.abort(StatusCode.UNAUTHENTICATED, "who are you?")

        if handler.request_streaming:
            kind = (
                grpc.stream_stream_rpc_method_handler
                if handler.response_streaming
                else grpc.stream_unary_rpc_method_handler
            )
        else:
            kind = (
                grpc.unary_stream_rpc_method_handler
                if handler.response_streaming
                else grpc.unary_unary_rpc_method_handler
            )
        return kind(refuse, handler.request_deserializer, handler.response_serializer)


class Refusing(aio.ServerInterceptor):
    """Answers everything with a handler for one request and one answer, without serialisers."""

    async def intercept_service(self, continuation, handler_call_details):
        async def refuse(request, context):
            await context.abort(StatusCode.PERMISSION_DENIED, "nobody")

        return grpc.unary_unary_rpc_method_handler(refuse)


class Wrapping(aio.ServerInterceptor):
    """Runs code around the servicer's own."""

    async def intercept_service(self, continuation, handler_call_details):
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming or handler.response_streaming:
            return handler

        async def around(request, context):
            request.job_id += " wrapped"
            answer = await handler.unary_unary(request, context)
            answer.job_name = "by the interceptor"
            return answer

        return grpc.unary_unary_rpc_method_handler(around, handler.request_deserializer, handler.response_serializer)


async def get_job(request, context):
    """Answers with the id it was asked for."""
    return GetJobResponse(job_id=request.job_id)


async def watch_job(request, context):
    """One frame."""
    yield frame(1)


async def upload_dataset(requests, context):
    """Reads it all."""
    async for _ in requests:
        pass
    return UploadDatasetResponse(dataset_id="stored")


async def talk(requests, context):
    """Says what it hears."""
    async for request in requests:
        yield request


async def test_interceptors_are_asked_in_their_order(serve):
    """With the full name of the method and the caller's metadata."""
    notes: list[tuple[str, str, list[str]]] = []
    world = await serve([Noting("first", notes), Noting("second", notes)], GetJob=get_job)
    await world.jobs.GetJob(ask(), metadata=(("a", "1"),))
    method = "/lodestream.v1.JobService/GetJob"
    assert notes == [("first", method, ["a"]), ("second", method, ["a"])]


async def test_a_guard_refuses_calls_of_every_kind(serve):
    """And lets those pass that know the word."""
    world = await serve([Guard()], GetJob=get_job, WatchJob=watch_job, UploadDataset=upload_dataset, Talk=talk)
    refused = ("UNAUTHENTICATED", "who are you?")
    assert await outcome(world.jobs.GetJob(ask())) == refused
    assert await outcome(everything(world.jobs.WatchJob(watch()))) == refused
    assert await outcome(world.datasets.UploadDataset(chunks(b"a", b"b"))) == refused
    assert await outcome(world.talk(iter([b"a"])).read()) == refused
    word = (("word", "swordfish"),)
    assert (await world.jobs.GetJob(ask("j1"), metadata=word)).job_id == "j1"
    assert await everything(world.jobs.WatchJob(watch(), metadata=word)) == ["1"]
    assert (await world.datasets.UploadDataset(chunks(b"a"), metadata=word)).dataset_id == "stored"
    assert await everything(world.talk(iter([b"a", b"b"]), metadata=word), bytes) == [b"a", b"b"]


async def test_a_refusal_of_another_kind_reaches_every_call(serve):
    """An interceptor need not know whether a method streams."""
    world = await serve([Refusing()], GetJob=get_job, WatchJob=watch_job, UploadDataset=upload_dataset)
    refused = ("PERMISSION_DENIED", "nobody")
    assert await outcome(world.jobs.GetJob(ask())) == refused
    assert await outcome(everything(world.jobs.WatchJob(watch()))) == refused
    assert await outcome(world.datasets.UploadDataset(chunks(b"a", b"b"))) == refused


async def test_an_interceptor_may_wrap_the_servicer(serve):
    """It sees the decoded request and the answer before it is encoded."""
    world = await serve([Wrapping()], GetJob=get_job)
    answer = await world.jobs.GetJob(ask("j1"))
    assert (answer.job_id, answer.job_name) == ("j1 wrapped", "by the interceptor")


async def test_an_interceptor_that_raises_fails_the_call(serve):
    """UNKNOWN, as if the servicer had raised."""

    class Broken(aio.ServerInterceptor):
        async def intercept_service(self, continuation, handler_call_details):
            raise ValueError("inside")

    world = await serve([Broken()], GetJob=get_job, WatchJob=watch_job)
    details = "Unexpected <class 'ValueError'>: inside"
    assert await outcome(world.jobs.GetJob(ask())) == ("UNKNOWN", details)
    assert await outcome(everything(world.jobs.WatchJob(watch()))) == ("UNKNOWN", details)


@pytest.mark.parametrize("path", ["/lodestream.v1.JobService/GetJob", "/lodestream.v1.JobService/Nowhere"])
async def test_an_interceptor_may_hide_a_method(serve, path):
    """None means that there is none; of an unknown one it hears too."""
    asked = []

    class Hiding(aio.ServerInterceptor):
        async def intercept_service(self, continuation, handler_call_details):
            asked.append((await continuation(handler_call_details)) is None)
            return None

    world = await serve([Hiding()], GetJob=get_job)
    assert await outcome(world.channel.unary_unary(path)(b"")) == ("UNIMPLEMENTED", "Method not found!")
    assert asked == [path.endswith("Nowhere")]
