"""Cancelled by the client: by cancel(), by cancelling who waits, by a timeout around it. Over both channels."""

import asyncio

import pytest
from grpc import StatusCode, aio

from lodestream.v1.job_pb2 import GetJobResponse
from tests.contract.channels.world import Waiting, ask, everything, frame, watch


class Stubborn:
    """A servicer that ignores that it is cancelled, and goes on until it is let go."""

    def __init__(self):
        self.began = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.let_go = asyncio.Event()
        self.ended = asyncio.Event()

    async def get_job(self, request, context):
        try:
            self.began.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
        await self.let_go.wait()
        self.ended.set()
        return GetJobResponse()


async def test_cancelling_a_call_ends_it_at_once_on_both_sides(serve):
    """cancel() says whether it was the one that ended the call; awaiting it then raises CancelledError."""
    servicer = Waiting()
    world = await serve(GetJob=servicer.get_job)
    call = world.jobs.GetJob(ask())
    waiting = asyncio.ensure_future(call)
    await servicer.began.wait()
    assert (call.cancel(), call.cancel(), call.cancelled(), call.done()) == (True, False, True, True)
    assert await call.code() is StatusCode.CANCELLED
    assert await call.details() == "Locally cancelled by application!"
    assert tuple(await call.initial_metadata()) == tuple(await call.trailing_metadata()) == ()
    for awaitable in (waiting, call):
        with pytest.raises(asyncio.CancelledError):
            await awaitable
    await servicer.ended.wait()
    assert isinstance(servicer.error, asyncio.CancelledError)


async def test_a_call_can_be_cancelled_before_it_gets_anywhere(serve):
    """The next call passes."""

    async def get_job(request, context):
        return GetJobResponse(job_id=request.job_id)

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask("cancelled"))
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await call.code() is StatusCode.CANCELLED
    assert (await world.jobs.GetJob(ask("next"))).job_id == "next"


async def test_cancelling_the_task_that_awaits_cancels_the_call(serve):
    """The servicer stops working for somebody who has gone."""
    servicer = Waiting()
    world = await serve(GetJob=servicer.get_job)
    call = world.jobs.GetJob(ask())

    async def caller():
        return await call

    task = asyncio.create_task(caller())
    await servicer.began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await servicer.ended.wait()
    assert isinstance(servicer.error, asyncio.CancelledError)
    assert await call.code() is StatusCode.CANCELLED


async def test_a_timeout_around_the_await_cancels_the_call(serve):
    """The caller gets the TimeoutError of its own, the servicer a CancelledError."""
    servicer = Waiting()
    world = await serve(GetJob=servicer.get_job)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await world.jobs.GetJob(ask())
    await servicer.ended.wait()
    assert isinstance(servicer.error, asyncio.CancelledError)


async def test_one_of_two_who_await_a_call_cancels_it_for_both(serve):
    """There is one call."""
    servicer = Waiting()
    world = await serve(GetJob=servicer.get_job)
    call = world.jobs.GetJob(ask())

    async def caller():
        return await call

    first, second = asyncio.create_task(caller()), asyncio.create_task(caller())
    await servicer.began.wait()
    first.cancel()
    ends = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 2


async def test_cancelling_who_asks_for_the_code_does_not_touch_the_call(serve):
    """Only those who wait for answers carry a call."""
    began, go_on = asyncio.Event(), asyncio.Event()

    async def get_job(request, context):
        began.set()
        await go_on.wait()
        return GetJobResponse(job_id="unharmed")

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask())
    tasks = [asyncio.create_task(ask_for()) for ask_for in (call.code, call.details, call.trailing_metadata)]
    await began.wait()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert not call.done()
    go_on.set()
    assert (await call).job_id == "unharmed"


@pytest.mark.parametrize("by", ["cancel", "task", "deadline"])
async def test_a_servicer_that_ignores_its_cancellation_does_not_hold_the_caller_up(serve, by):
    """The caller goes on at once; the servicer in its own time."""
    servicer = Stubborn()
    world = await serve(GetJob=servicer.get_job)
    call = world.jobs.GetJob(ask(), timeout=0.2 if by == "deadline" else None)

    async def caller():
        return await call

    task = asyncio.create_task(caller())
    await servicer.began.wait()
    if by == "cancel":
        call.cancel()
    if by == "task":
        task.cancel()
    with pytest.raises(aio.AioRpcError if by == "deadline" else asyncio.CancelledError):
        await task
    assert call.done()
    await servicer.cancelled.wait()
    assert not servicer.ended.is_set()
    servicer.let_go.set()
    await servicer.ended.wait()
    assert await call.code() is (StatusCode.DEADLINE_EXCEEDED if by == "deadline" else StatusCode.CANCELLED)


async def test_a_servicer_that_writes_on_after_the_end_is_stopped(serve):
    """It gets an InternalError where it writes, so that no stream runs for nobody."""
    began, stopped, written = asyncio.Event(), asyncio.Event(), []

    async def watch_job(request, context):
        try:
            began.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        try:
            for token in range(1000):
                await context.write(frame(token))
                written.append(token)
        except aio.InternalError:
            stopped.set()
            raise

    world = await serve(WatchJob=watch_job)
    call = world.jobs.WatchJob(watch())
    reader = asyncio.create_task(call.read())
    await began.wait()
    call.cancel()
    await asyncio.wait([reader])
    await stopped.wait()
    assert len(written) < 1000


async def test_a_cancelled_reader_cancels_its_stream(serve):
    """As a cancelled caller its call; the generator's `finally` runs.

    Once a frame has arrived: before, grpc.aio may lose the cancellation.
    """
    servicer = Waiting()
    world = await serve(WatchJob=servicer.watch_job)
    call = world.jobs.WatchJob(watch())
    reading = asyncio.Event()
    reader = asyncio.create_task(everything(call, lambda _: reading.set()))
    await servicer.began.wait()
    await reading.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    await servicer.ended.wait()
    assert isinstance(servicer.error, asyncio.CancelledError)
    assert call.cancelled()


@pytest.mark.parametrize("how", ["read", "iterate"])
async def test_reading_a_stream_that_was_cancelled_raises_each_time(serve, how):
    """Frames that were under way are dropped; the generator is closed."""
    servicer = Waiting()
    world = await serve(WatchJob=servicer.watch_job)
    call = world.jobs.WatchJob(watch())
    if how == "read":
        await call.read()
        call.cancel()
        for _ in range(2):
            with pytest.raises(asyncio.CancelledError):
                await call.read()
    else:
        with pytest.raises(asyncio.CancelledError):
            await everything(call, lambda _: call.cancel())
    await servicer.ended.wait()
