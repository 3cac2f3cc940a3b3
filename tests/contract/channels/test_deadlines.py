"""Deadlines: what both sides see of them, and what they end. Over both channels."""

import asyncio

import pytest
from grpc import StatusCode

from lodestream.v1.job_pb2 import GetJobResponse
from tests.contract.channels.world import Waiting, ask, everything, outcome, watch


async def test_both_sides_see_the_time_that_remains(serve):
    """Seconds, a little less than the timeout."""
    seen = []

    async def get_job(request, context):
        seen.append(context.time_remaining())
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask(), timeout=60)
    assert 50 < call.time_remaining() <= 60
    await call
    assert 50 < seen[0] <= 60.1  # the network carries the deadline in rounded units


async def test_without_a_deadline_there_is_no_time_that_remains(serve):
    """None on both sides."""
    seen = []

    async def get_job(request, context):
        seen.append(context.time_remaining())
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask())
    assert call.time_remaining() is None
    await call
    assert seen == [None]


async def test_the_deadline_ends_the_call_and_cancels_the_servicer(serve):
    """DEADLINE_EXCEEDED here, CancelledError there."""
    servicer = Waiting()
    world = await serve(GetJob=servicer.get_job)
    call = world.jobs.GetJob(ask(), timeout=0.1)
    assert await outcome(call) == ("DEADLINE_EXCEEDED", "Deadline Exceeded")
    assert call.time_remaining() == 0
    await servicer.ended.wait()
    assert isinstance(servicer.error, asyncio.CancelledError)


@pytest.mark.parametrize("seconds", [0, -1])
async def test_no_time_at_all_is_over_at_once(serve, seconds):
    """For one answer as for a stream."""
    servicer = Waiting()
    world = await serve(GetJob=servicer.get_job, WatchJob=servicer.watch_job)
    assert (await outcome(world.jobs.GetJob(ask(), timeout=seconds)))[0] == "DEADLINE_EXCEEDED"
    assert (await outcome(everything(world.jobs.WatchJob(watch(), timeout=seconds))))[0] == "DEADLINE_EXCEEDED"


async def test_the_deadline_ends_a_stream_and_closes_its_generator(serve):
    """The frames before it arrive; the reader that waits is told; the generator's `finally` runs."""
    servicer = Waiting()
    world = await serve(WatchJob=servicer.watch_job)
    call = world.jobs.WatchJob(watch(), timeout=0.2)
    assert (await call.read()).resume_token == "first"
    assert (await outcome(call.read()))[0] == "DEADLINE_EXCEEDED"
    await servicer.ended.wait()
    assert isinstance(servicer.error, asyncio.CancelledError)


async def test_a_call_that_ends_in_time_is_not_touched_by_its_deadline(serve):
    """The deadline passes afterwards, without effect."""
    after = asyncio.Event()

    async def get_job(request, context):
        return GetJobResponse(job_id="in time")

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask(), timeout=0.1)
    asyncio.get_running_loop().call_later(0.2, after.set)
    assert (await call).job_id == "in time"
    await after.wait()
    assert await call.code() is StatusCode.OK
    assert (await call).job_id == "in time"
