"""Who is told that a call has begun or ended: callbacks on both sides, wait_for_connection. Over both channels."""

import asyncio

from grpc import StatusCode

from lodestream.v1.job_pb2 import GetJobResponse
from tests.contract.channels.world import Waiting, ask, frame, outcome, watch


async def test_done_callbacks_get_the_call_when_it_ends(serve):
    """One that comes late is called at once."""
    told, early = [], asyncio.Event()

    async def get_job(request, context):
        return GetJobResponse()

    def tell(call):
        told.append((call, call.done()))
        early.set()

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask())
    call.add_done_callback(tell)
    assert told == []
    await call
    await early.wait()
    call.add_done_callback(tell)
    assert told == [(call, True)] * 2


async def test_done_callbacks_hear_of_a_cancellation(serve):
    """Before cancel() returns."""
    told = []
    servicer = Waiting()
    world = await serve(WatchJob=servicer.watch_job)
    call = world.jobs.WatchJob(watch())
    call.add_done_callback(lambda ended: told.append(ended.cancelled()))
    await call.read()
    call.cancel()
    assert told == [True]


async def test_the_servicers_done_callbacks_run_after_it(serve):
    """With its context: done when it answered, not done when it was cancelled."""
    told: list[bool] = []
    over, began = asyncio.Event(), asyncio.Event()

    async def get_job(request, context):
        def tell(ended):
            told.append(ended is context and ended.done())
            over.set()

        context.add_done_callback(tell)
        began.set()
        if request.job_id == "wait":
            await asyncio.Event().wait()
        assert told == []
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    await world.jobs.GetJob(ask())
    await over.wait()
    assert told == [True]
    told.clear()
    over.clear()
    began.clear()
    call = world.jobs.GetJob(ask("wait"))
    waiting = asyncio.ensure_future(call)
    await began.wait()
    call.cancel()
    await asyncio.wait([waiting])
    await over.wait()
    assert told == [False]


async def test_a_done_callback_of_the_servicer_that_raises_harms_nobody(serve):
    """The caller has its answer."""
    over = asyncio.Event()

    async def get_job(request, context):
        def raise_it(ended):
            over.set()
            raise ValueError("in the callback")

        context.add_done_callback(raise_it)
        return GetJobResponse(job_id="j1")

    world = await serve(GetJob=get_job)
    assert (await world.jobs.GetJob(ask())).job_id == "j1"
    await over.wait()
    assert (await world.jobs.GetJob(ask())).job_id == "j1"


async def test_wait_for_connection_of_a_single_answer_waits_for_it(serve):
    """And raises what the call failed with."""

    async def get_job(request, context):
        if request.job_id == "fail":
            await context.abort(StatusCode.NOT_FOUND, "no such job")
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask())
    await call.wait_for_connection()
    assert call.done()
    assert await outcome(world.jobs.GetJob(ask("fail")).wait_for_connection()) == ("NOT_FOUND", "no such job")


async def test_wait_for_connection_of_a_stream_waits_for_its_beginning(serve):
    """And raises what the call failed with."""

    async def watch_job(request, context):
        if request.request.job_id == "fail":
            await context.abort(StatusCode.NOT_FOUND, "no such job")
        yield frame(1)
        await asyncio.Event().wait()

    world = await serve(WatchJob=watch_job)
    call = world.jobs.WatchJob(watch())
    await call.wait_for_connection()
    assert not call.done()
    assert (await call.read()).resume_token == "1"
    call.cancel()
    assert await outcome(world.jobs.WatchJob(watch("fail")).wait_for_connection()) == ("NOT_FOUND", "no such job")
