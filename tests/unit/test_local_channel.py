"""What the LocalChannel does otherwise than the network, on purpose. What both do alike: tests/contract/channels."""

import asyncio
import contextvars
import logging
from typing import Any

import grpc
import pytest
from grpc import StatusCode, aio

from lodestream.local_channel import BadMetadata, LocalChannel
from lodestream.v1.dataset_pb2 import UploadDatasetRequest, UploadDatasetResponse
from lodestream.v1.dataset_pb2_grpc import DatasetServiceStub
from lodestream.v1.job_pb2 import GetJobRequest, GetJobResponse, WatchJobRequest, WatchJobResponse
from lodestream.v1.job_pb2_grpc import JobServiceStub
from tests.unit.channel_world import channel_to, jobs

COLOUR: contextvars.ContextVar[str] = contextvars.ContextVar("COLOUR", default="none")


# Uploads that break off.


@pytest.mark.parametrize("how", ["iterator raises", "cancel", "deadline"])
async def test_an_upload_that_breaks_off_never_looks_complete(how):
    """The servicer's iterator raises, even for one that ignores being cancelled; it does not simply end."""
    ends: list[Any] = []
    over = asyncio.Event()

    async def upload(requests, context):
        while len(ends) < 2:
            try:
                ends.append([request.chunk async for request in requests])
            except BaseException as error:
                ends.append(type(error).__name__)
        over.set()
        return UploadDatasetResponse()

    async def pieces():
        yield UploadDatasetRequest(chunk=b"a")
        if how == "iterator raises":
            raise ValueError("the file went away")
        await asyncio.Event().wait()

    datasets: Any = DatasetServiceStub(channel_to(UploadDataset=upload))
    call = datasets.UploadDataset(pieces(), timeout=0.05 if how == "deadline" else None)
    if how == "cancel":
        asyncio.get_running_loop().call_later(0.05, call.cancel)
    with pytest.raises((asyncio.CancelledError, aio.AioRpcError)) as caught:
        await call
    await over.wait()
    assert ends == ["CancelledError", "CallOver"]
    if how == "iterator raises":
        assert str(caught.value.__cause__) == "the file went away"


async def test_an_upload_that_breaks_off_raises_in_whatever_task_reads_it():
    """Also in one that the servicer started, which nobody cancels."""
    reading: list[asyncio.Task[int]] = []
    began = asyncio.Event()

    async def upload(requests, context):
        async def count():
            pieces = 0
            async for _ in requests:
                pieces += 1
                began.set()
            return pieces

        reading.append(asyncio.create_task(count()))
        return await asyncio.shield(reading[0])

    datasets: Any = DatasetServiceStub(channel_to(UploadDataset=upload))
    call = datasets.UploadDataset()
    await call.write(UploadDatasetRequest(chunk=b"a"))
    await began.wait()
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(aio.InternalError):
        await reading[0]


@pytest.mark.parametrize("end", ["too large", "early answer", "last piece"])
async def test_the_iterator_of_an_upload_can_close_in_peace(end):
    """However the upload ends, what closes the iterator may take its time."""
    closed = asyncio.Event()

    class Pieces:
        def __aiter__(self):
            return self

        async def __anext__(self):
            if end == "last piece":
                raise StopAsyncIteration
            return UploadDatasetRequest(chunk=b"x" * (5_000_000 if end == "too large" else 1))

        async def aclose(self):
            for _ in range(10):
                await asyncio.sleep(0)
            closed.set()

    async def upload(requests, context):
        async for _ in requests:
            break
        return UploadDatasetResponse()

    datasets: Any = DatasetServiceStub(channel_to(UploadDataset=upload))
    call = datasets.UploadDataset(Pieces())
    expected = StatusCode.RESOURCE_EXHAUSTED if end == "too large" else StatusCode.OK
    assert await call.code() is expected
    await closed.wait()


@pytest.mark.parametrize("code", [StatusCode.OK, StatusCode.ABORTED])
async def test_an_early_end_closes_the_iterator_of_an_upload_at_once(code):
    """Also while it waits: what it reads from can be released. grpc.aio leaves it waiting."""
    began, closed = asyncio.Event(), asyncio.Event()

    async def upload(requests, context):
        async for _ in requests:
            await began.wait()
            context.set_code(code)
            return UploadDatasetResponse()

    async def pieces():
        try:
            yield UploadDatasetRequest(chunk=b"x")
            began.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    datasets: Any = DatasetServiceStub(channel_to(UploadDataset=upload))
    call = datasets.UploadDataset(pieces())
    assert await call.code() is code
    await closed.wait()


# What cannot be sent, and what cannot be read.


async def test_metadata_is_refused_when_the_call_is_made():
    """Not when it is awaited; the error names the key and the way out."""
    with pytest.raises(BadMetadata, match="'a': the value must be printable ASCII; send others under a-bin as bytes"):
        jobs().GetJob(GetJobRequest(), metadata=(("a", "ü"),))


async def test_a_request_that_is_no_message_is_refused_when_the_call_is_made():
    """By the stub's own serialiser."""
    with pytest.raises(TypeError):
        jobs().GetJob("no message")


async def test_an_answer_that_cannot_be_decoded_raises():
    """grpc.aio would log it and give None."""

    async def get_job(request, context):
        return GetJobResponse()

    channel = channel_to(GetJob=get_job)

    def refuse(raw: bytes) -> Any:
        raise ValueError("not mine")

    method = channel.unary_unary("/lodestream.v1.JobService/GetJob", response_deserializer=refuse)
    with pytest.raises(ValueError, match="not mine"):
        await method(b"")


async def test_a_second_answer_to_a_call_for_one_is_an_error():
    """A stub that does not fit its servicer."""

    async def watch_job(request, context):
        yield WatchJobResponse()
        yield WatchJobResponse()

    method = channel_to(WatchJob=watch_job).unary_unary("/lodestream.v1.JobService/WatchJob")
    with pytest.raises(aio.AioRpcError) as caught:
        await method(b"")
    assert caught.value.code() is StatusCode.INTERNAL


# Ends that the network keeps its callers waiting for.


async def test_an_abort_with_ok_is_unknown():
    """OK promises an answer that does not come."""

    async def get_job(request, context):
        await context.abort(StatusCode.OK, "well?")

    with pytest.raises(aio.AioRpcError) as caught:
        await jobs(GetJob=get_job).GetJob(GetJobRequest())
    assert (caught.value.code(), caught.value.details()) == (StatusCode.UNKNOWN, "well?")


async def test_a_servicer_that_is_cancelled_from_within_ends_its_call():
    """By something that it awaits, not by its caller."""

    async def get_job(request, context):
        raise asyncio.CancelledError

    with pytest.raises(aio.AioRpcError) as caught:
        await jobs(GetJob=get_job).GetJob(GetJobRequest())
    assert caught.value.code() is StatusCode.CANCELLED


async def test_a_servicer_that_leaves_through_the_floor_ends_its_call():
    """What no server may catch goes on to the loop; the caller is not left waiting."""

    class Floor(BaseException):
        pass

    async def get_job(request, context):
        raise Floor

    channel = channel_to(GetJob=get_job)
    stub: Any = JobServiceStub(channel)
    call = stub.GetJob(GetJobRequest())
    task = call._exchange.task
    with pytest.raises(aio.AioRpcError):
        await call
    with pytest.raises(Floor):
        await task


async def test_a_reader_that_is_cancelled_before_the_first_frame_cancels_its_stream():
    """grpc.aio may lose this cancellation, and the servicer then runs until the channel closes."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def watch_job(request, context):
        try:
            began.set()
            await asyncio.Event().wait()
            yield WatchJobResponse()
        finally:
            ended.set()

    call = jobs(WatchJob=watch_job).WatchJob(WatchJobRequest())
    reader = asyncio.create_task(call.read())
    await began.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    await ended.wait()
    assert call.cancelled()


async def test_without_time_the_servicer_is_not_even_asked():
    """Over the network it may begin."""
    seen = []

    async def get_job(request, context):
        seen.append(request)
        return GetJobResponse()

    stub = jobs(GetJob=get_job)
    for timeout in (0, -1):
        with pytest.raises(aio.AioRpcError):
            await stub.GetJob(GetJobRequest(), timeout=timeout)
    assert seen == []


async def test_a_servicer_that_has_aborted_can_clean_up_in_peace():
    """Its word is said: a client that goes then does not cancel it any more."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def watch_job(request, context):
        yield WatchJobResponse()
        try:
            await context.abort(StatusCode.ABORTED)
        finally:
            began.set()
            for _ in range(10):
                await asyncio.sleep(0)
            ended.set()

    call = jobs(WatchJob=watch_job).WatchJob(WatchJobRequest())
    await began.wait()
    assert call.cancel()
    await ended.wait()


# The rest.


async def test_an_exception_is_logged_where_it_happened(caplog):
    """With its traceback and the method's name; an abort is not."""

    async def get_job(request, context):
        if request.job_id == "abort":
            await context.abort(StatusCode.NOT_FOUND)
        raise ValueError("secret")

    stub = jobs(GetJob=get_job)
    for job_id in ("abort", "raise"):
        with pytest.raises(aio.AioRpcError):
            await stub.GetJob(GetJobRequest(job_id=job_id))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "/lodestream.v1.JobService/GetJob" in record.getMessage()
    assert record.exc_info is not None


async def test_a_done_callback_that_raises_is_logged_and_the_others_are_told(caplog):
    """The client's call goes on."""
    told: list[Any] = []

    async def get_job(request, context):
        return GetJobResponse(job_id="j1")

    def raise_it(ended):
        raise ValueError("in the callback")

    call = jobs(GetJob=get_job).GetJob(GetJobRequest())
    call.add_done_callback(raise_it)
    call.add_done_callback(told.append)
    assert (await call).job_id == "j1"
    assert told == [call]
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_context_variables_start_empty():
    """Not even those of the task that made the channel."""
    COLOUR.set("red")
    seen = []

    async def get_job(request, context):
        seen.append(COLOUR.get())
        return GetJobResponse()

    await jobs(GetJob=get_job).GetJob(GetJobRequest())
    assert seen == ["none"]


async def test_synchronous_servicers_are_run_as_they_are():
    """A function, and a generator function; they have the same context."""

    def get_job(request, context):
        context.set_trailing_metadata((("a", "1"),))
        return GetJobResponse(job_id=request.job_id)

    def watch_job(request, context):
        yield WatchJobResponse(resume_token="1")
        yield WatchJobResponse(resume_token="2")

    stub = jobs(GetJob=get_job, WatchJob=watch_job)
    call = stub.GetJob(GetJobRequest(job_id="j1"))
    assert (await call).job_id == "j1"
    assert tuple(await call.trailing_metadata()) == (("a", "1"),)
    assert [message.resume_token async for message in stub.WatchJob(WatchJobRequest())] == ["1", "2"]


async def test_the_peer_is_local():
    """Nobody is authenticated by the connection, and there is no user-agent."""
    seen = {}

    async def get_job(request, context):
        seen["peer"] = context.peer()
        seen["identities"] = context.peer_identities(), context.peer_identity_key()
        seen["auth"] = context.auth_context()
        seen["metadata"] = context.invocation_metadata()
        context.set_compression(None)
        context.disable_next_message_compression()
        return GetJobResponse()

    await jobs(GetJob=get_job).GetJob(GetJobRequest(), wait_for_ready=True)
    assert seen == {
        "peer": "local:",
        "identities": (None, None),
        "auth": {"transport_security_type": [b"local"]},
        "metadata": (),
    }


async def test_calls_say_what_they_are():
    """For logs and debuggers."""

    async def get_job(request, context):
        await context.abort(StatusCode.NOT_FOUND, "no such job")

    call = jobs(GetJob=get_job).GetJob(GetJobRequest())
    assert repr(call) == "<LocalUnaryUnaryCall /lodestream.v1.JobService/GetJob under way>"
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    assert repr(call) == "<LocalUnaryUnaryCall /lodestream.v1.JobService/GetJob NOT_FOUND 'no such job'>"
    assert caught.value.debug_error_string() == await call.debug_error_string()
    assert await call.debug_error_string() == "local:/lodestream.v1.JobService/GetJob"


async def test_stop_returns_after_the_servicers_have_ended():
    """Also those that take their time, whoever called them; what they used can then be closed."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def get_job(request, context):
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            for _ in range(10):
                await asyncio.sleep(0)
            ended.set()

    channel = channel_to(GetJob=get_job)
    stub: Any = JobServiceStub(channel)
    call = stub.GetJob(GetJobRequest())
    await began.wait()
    await channel.stop(None)
    assert ended.is_set()
    assert (await call.code(), await call.details()) == (StatusCode.UNAVAILABLE, "Cancelling all calls")


def test_there_are_no_ports():
    """The error names what has."""
    channel = LocalChannel()
    for attempt in (
        lambda: channel.add_insecure_port("[::]:0"),
        lambda: channel.add_secure_port("[::]:0", grpc.local_server_credentials()),
    ):
        with pytest.raises(aio.UsageError, match=r"grpc\.aio\.server"):
            attempt()


async def test_a_closed_channel_is_never_ready_again():
    """Waiting for it would last for ever."""
    channel = LocalChannel()
    await channel.close()
    with pytest.raises(aio.UsageError):
        await channel.channel_ready()
