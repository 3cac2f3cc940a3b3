"""Calls over a LocalChannel that nobody keeps: they end, and nothing of them stays."""

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest
from grpc import StatusCode, aio

from lodestream.v1.dataset_pb2 import UploadDatasetRequest, UploadDatasetResponse
from lodestream.v1.dataset_pb2_grpc import DatasetServiceStub
from lodestream.v1.job_pb2 import GetJobRequest, GetJobResponse, WatchJobRequest, WatchJobResponse
from lodestream.v1.job_pb2_grpc import JobServiceStub
from tests.unit.channel_world import channel_to, jobs


class Endless:
    """A stream that nobody ends; says how it went."""

    def __init__(self):
        self.made = 0
        self.began, self.closed = asyncio.Event(), asyncio.Event()

    async def watch_job(self, request, context):
        self.began.set()
        try:
            while True:
                self.made += 1
                yield WatchJobResponse(resume_token=str(self.made))
        finally:
            self.closed.set()


async def test_a_servicer_is_at_most_two_frames_ahead():
    """One lies in the pipe, the next one waits in its hand, however long the reader takes."""
    endless = Endless()
    call = jobs(WatchJob=endless.watch_job).WatchJob(WatchJobRequest())
    for read in range(1, 5):
        await call.read()
        for _ in range(100):
            await asyncio.sleep(0)
        assert endless.made == read + 2
    call.cancel()


@pytest.mark.parametrize("read", [0, 1, 3])
async def test_a_dropped_stream_is_cancelled_at_once(read):
    """Without the garbage collector's help; the generator's `finally` runs and nothing of the call is left."""
    endless = Endless()
    gc.disable()
    try:
        call = jobs(WatchJob=endless.watch_job).WatchJob(WatchJobRequest())
        for _ in range(read):
            await call.read()
        await endless.began.wait()
        left = [weakref.ref(call), weakref.ref(call._exchange.task)]
        del call
        await endless.closed.wait()
        await asyncio.sleep(0)
        assert [reference() for reference in left] == [None, None]
    finally:
        gc.enable()


async def test_the_servicers_generator_is_closed_with_the_call_even_if_somebody_keeps_it():
    """It is not left to the garbage collector."""
    kept, endless = [], Endless()

    def watch_job(request, context):
        kept.append(endless.watch_job(request, context))
        return kept[0]

    call = jobs(WatchJob=watch_job).WatchJob(WatchJobRequest())
    await call.read()
    call.cancel()
    await endless.closed.wait()


async def test_leaving_a_loop_over_a_stream_drops_it():
    """Nobody has the call any more."""
    endless = Endless()
    async for message in jobs(WatchJob=endless.watch_job).WatchJob(WatchJobRequest()):
        if message.resume_token == "3":
            break
    await endless.closed.wait()


async def test_a_dropped_stream_tells_its_done_callbacks():
    """With the call, for the last time."""
    endless, told = Endless(), []
    call = jobs(WatchJob=endless.watch_job).WatchJob(WatchJobRequest())
    call.add_done_callback(lambda ended: told.append((ended.cancelled(), ended._exchange.ending.details)))
    await call.read()
    del call
    assert told == [(True, "Cancelled upon garbage collection!")]


async def test_a_stream_may_be_collected_in_any_thread():
    """The garbage collector does not ask where."""
    endless = Endless()
    calls = [jobs(WatchJob=endless.watch_job).WatchJob(WatchJobRequest())]
    await calls[0].read()
    thread = threading.Thread(target=calls.clear)
    thread.start()
    await endless.closed.wait()
    thread.join()


def test_a_stream_may_outlive_its_loop():
    """Dropping it then does nothing, and complains about nothing."""
    kept = []

    async def start():
        kept.append(jobs(WatchJob=Endless().watch_job).WatchJob(WatchJobRequest()))
        await kept[0].read()

    asyncio.run(start())
    kept.clear()
    gc.collect()


async def test_a_dropped_call_for_one_answer_runs_to_its_end():
    """Fire and forget: so it is over the network. Its callbacks are told."""
    served, told = asyncio.Event(), asyncio.Event()

    async def get_job(request, context):
        await asyncio.sleep(0)
        served.set()
        return GetJobResponse()

    jobs(GetJob=get_job).GetJob(GetJobRequest()).add_done_callback(lambda ended: told.set())
    gc.collect()
    await served.wait()
    await told.wait()


async def test_a_dropped_upload_ends_unless_its_iterator_goes_on():
    """One that waits for write() can never be completed; one with an iterator runs to its end."""
    ends: dict[str, type[BaseException] | None] = {}
    ended = {"written": asyncio.Event(), "iterated": asyncio.Event()}
    began = asyncio.Event()

    async def upload(requests, context):
        name = dict(context.invocation_metadata())["name"]
        try:
            async for _ in requests:
                began.set()
            ends[name] = None
        except BaseException as error:
            ends[name] = type(error)
            raise
        finally:
            ended[name].set()
        return UploadDatasetResponse()

    async def pieces():
        for _ in range(10):
            yield UploadDatasetRequest(chunk=b"x")

    datasets: Any = DatasetServiceStub(channel_to(UploadDataset=upload))
    written = datasets.UploadDataset(metadata=(("name", "written"),))
    await written.write(UploadDatasetRequest(chunk=b"x"))
    await began.wait()
    del written
    datasets.UploadDataset(pieces(), metadata=(("name", "iterated"),))
    for event in ended.values():
        await event.wait()
    assert ends == {"written": asyncio.CancelledError, "iterated": None}


async def test_a_thousand_calls_leave_nothing_behind():
    """However they end: no task, no exchange, no frame stays, also without the garbage collector."""

    async def get_job(request, context):
        if request.job_id == "abort":
            await context.abort(StatusCode.NOT_FOUND, "no such job")
        if request.job_id == "wait":
            await asyncio.Event().wait()
        return GetJobResponse(job_id=request.job_id)

    async def watch_job(request, context):
        while True:
            yield WatchJobResponse(resume_token="x")

    async def upload(requests, context):
        async for _ in requests:
            if dict(context.invocation_metadata()).get("stop"):
                break
        return UploadDatasetResponse()

    async def pieces():
        for _ in range(5):
            yield UploadDatasetRequest(chunk=b"x")

    channel = channel_to(GetJob=get_job, WatchJob=watch_job, UploadDataset=upload)
    stub: Any = JobServiceStub(channel)
    datasets: Any = DatasetServiceStub(channel)

    async def one_of_each():
        await stub.GetJob(GetJobRequest(job_id="j1"), timeout=60, metadata=(("a", "1"),))
        with pytest.raises(aio.AioRpcError):
            await stub.GetJob(GetJobRequest(job_id="abort"))
        with pytest.raises(aio.AioRpcError):
            await stub.GetJob(GetJobRequest(job_id="wait"), timeout=0.0001)
        stub.GetJob(GetJobRequest()).cancel()
        cancelled = stub.GetJob(GetJobRequest(job_id="wait"), timeout=60)
        await asyncio.sleep(0)
        cancelled.cancel()
        async for _ in stub.WatchJob(WatchJobRequest(), timeout=60):
            break
        stub.WatchJob(WatchJobRequest())
        await datasets.UploadDataset(pieces())
        await datasets.UploadDataset(pieces(), metadata=(("stop", "1"),))
        call = datasets.UploadDataset()
        await call.write(UploadDatasetRequest(chunk=b"x"))
        await call.done_writing()
        await call

    def left():
        kinds = ("Exchange", "Context", "Pipe", "Bell", "Task", "TimerHandle", "coroutine", "async_generator")
        names = [type(thing).__name__ for thing in gc.get_objects()]
        return {kind: names.count(kind) for kind in kinds}

    async def settle():
        for _ in range(10):  # steps that the last call's tasks take to their ends
            await asyncio.sleep(0)
        assert not channel._running

    await one_of_each()
    await settle()
    gc.collect()
    before = left()
    gc.disable()
    try:
        for _ in range(100):
            await one_of_each()
        await settle()
        after = left()
    finally:
        gc.enable()
    # The loop itself keeps handles of cancelled timers until there are a hundred; they hold nothing by then.
    before["TimerHandle"] = after["TimerHandle"] = 0
    assert after == before
