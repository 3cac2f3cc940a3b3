"""Closing the channel, stopping the server, and what one can ask a channel. Over both."""

import asyncio

import pytest
from grpc import ChannelConnectivity, StatusCode, aio

from lodestream.v1.job_pb2 import GetJobResponse
from tests.contract.channels.world import ask, everything, frame, outcome, watch


class Slow:
    """Servicers that answer when they are let go."""

    def __init__(self):
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()
        self.ended = asyncio.Event()

    async def get_job(self, request, context):
        try:
            self.began.set()
            await self.go_on.wait()
            return GetJobResponse(job_id=request.job_id)
        finally:
            self.ended.set()

    async def watch_job(self, request, context):
        try:
            yield frame("first")
            self.began.set()
            await self.go_on.wait()
        finally:
            self.ended.set()


async def test_closing_the_channel_cancels_its_calls(serve):
    """As if each had been cancelled; their servicers are."""
    servicer = Slow()
    world = await serve(GetJob=servicer.get_job)
    call = world.jobs.GetJob(ask())
    waiting = asyncio.ensure_future(call)
    await servicer.began.wait()
    await world.channel.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await call.code() is StatusCode.CANCELLED
    assert await call.details() == "Locally cancelled by application!"
    await servicer.ended.wait()


async def test_closing_with_grace_lets_calls_finish(serve):
    """close() returns when they have, long before the grace is over."""
    servicer = Slow()
    world = await serve(GetJob=servicer.get_job)
    waiting = asyncio.ensure_future(world.jobs.GetJob(ask("j1")))
    await servicer.began.wait()
    closing = asyncio.create_task(world.channel.close(60))
    await asyncio.sleep(0)
    servicer.go_on.set()
    await closing
    assert (await waiting).job_id == "j1"


async def test_grace_ends(serve):
    """What has not finished by then is cancelled."""
    servicer = Slow()
    world = await serve(GetJob=servicer.get_job)
    waiting = asyncio.ensure_future(world.jobs.GetJob(ask()))
    await servicer.began.wait()
    await world.channel.close(0.1)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_closed_channel_takes_no_calls(serve):
    """UsageError, for every kind; closing it again does nothing."""
    world = await serve()
    await world.channel.close()
    await world.channel.close()
    for method in (world.jobs.GetJob, world.jobs.WatchJob):
        with pytest.raises(aio.UsageError):
            await method(ask())
    with pytest.raises(aio.UsageError):
        await world.datasets.UploadDataset(iter([]))
    with pytest.raises(aio.UsageError):
        world.talk()


async def test_a_channel_says_how_it_is(serve):
    """READY once it is, SHUTDOWN after it was closed; who waits for a change hears of it."""
    world = await serve()
    await world.channel.channel_ready()
    assert world.channel.get_state() is ChannelConnectivity.READY
    waiting = asyncio.create_task(world.channel.wait_for_state_change(ChannelConnectivity.READY))
    await asyncio.sleep(0)
    assert not waiting.done()
    await world.channel.close()
    await waiting
    assert world.channel.get_state() is ChannelConnectivity.SHUTDOWN


async def test_a_channel_closes_itself_after_with(serve):
    """Its calls are cancelled, as by close()."""
    servicer = Slow()
    world = await serve(WatchJob=servicer.watch_job)
    async with world.channel as channel:
        assert channel is world.channel
        call = world.jobs.WatchJob(watch())
        await call.read()
    assert call.cancelled()
    await servicer.ended.wait()


async def test_stopping_the_server_ends_its_calls(serve):
    """UNAVAILABLE, so that clients try again; their servicers are cancelled."""
    servicer = Slow()
    world = await serve(GetJob=servicer.get_job, WatchJob=servicer.watch_job)
    single, stream = world.jobs.GetJob(ask()), world.jobs.WatchJob(watch())
    assert (await stream.read()).resume_token == "first"
    await servicer.began.wait()
    await world.server.stop(None)
    await servicer.ended.wait()
    assert (await outcome(single))[0] == "UNAVAILABLE"
    assert (await outcome(stream.read()))[0] == "UNAVAILABLE"


async def test_a_stopped_server_takes_no_calls(serve):
    """UNAVAILABLE; stopping it again does nothing."""
    servicer = Slow()
    world = await serve(GetJob=servicer.get_job)
    await world.server.stop(None)
    await world.server.stop(None)
    assert (await outcome(world.jobs.GetJob(ask())))[0] == "UNAVAILABLE"
    assert not servicer.began.is_set()


async def test_stopping_with_grace_lets_calls_finish(serve):
    """stop() returns when they have, long before the grace is over."""
    servicer = Slow()
    world = await serve(GetJob=servicer.get_job)
    waiting = asyncio.ensure_future(world.jobs.GetJob(ask("j1")))
    await servicer.began.wait()
    stopping = asyncio.create_task(world.server.stop(60))
    await asyncio.sleep(0)
    servicer.go_on.set()
    assert (await waiting).job_id == "j1"
    await stopping


async def test_who_waits_for_the_servers_termination_hears_of_it(serve):
    """False after the stop, True when the time ran out before."""
    world = await serve()
    assert await world.server.wait_for_termination(0.01) is True
    waiting = asyncio.create_task(world.server.wait_for_termination())
    await asyncio.sleep(0)
    await world.server.stop(None)
    assert await waiting is False


async def test_streams_end_before_a_graceful_stop_is_over(serve):
    """A server that ends its streams itself need not wait for the grace."""
    servicer = Slow()
    world = await serve(WatchJob=servicer.watch_job)
    reading = asyncio.create_task(everything(world.jobs.WatchJob(watch())))
    await servicer.began.wait()
    servicer.go_on.set()
    await world.server.stop(60)
    assert await reading == ["first"]
