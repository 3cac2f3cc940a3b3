"""Streams of answers, and streams both ways. Over both channels."""

import asyncio

import pytest
from grpc import StatusCode, aio

from lodestream.v1.job_pb2 import GetJobResponse
from tests.contract.channels.world import ask, everything, frame, outcome, watch


async def three(request, context):
    """Three frames."""
    for token in range(3):
        yield frame(token)


async def bytes_of(*pieces):
    """These pieces, as a client sends them."""
    for piece in pieces:
        yield piece


async def echo(requests, context):
    """Says what it hears, in brackets."""
    async for request in requests:
        yield b"<" + request + b">"


async def test_frames_arrive_in_order_and_then_the_end(serve):
    """Iterating over a stream that was read to its end gives nothing more."""
    world = await serve(WatchJob=three)
    call = world.jobs.WatchJob(watch())
    assert await everything(call) == ["0", "1", "2"]
    assert (await call.code(), await call.details()) == (StatusCode.OK, "")
    assert await everything(call) == []


async def test_reading_one_by_one_ends_with_EOF(serve):
    """Each time one reads on."""
    world = await serve(WatchJob=three)
    call = world.jobs.WatchJob(watch())
    tokens = []
    while (message := await call.read()) is not aio.EOF:
        tokens.append(message.resume_token)
    assert tokens == ["0", "1", "2"]
    assert await call.read() is aio.EOF
    assert call.done()


async def test_an_empty_stream_just_ends(serve):
    """No frame, no error."""

    async def nothing(request, context):
        return
        yield

    world = await serve(WatchJob=nothing)
    assert await everything(world.jobs.WatchJob(watch())) == []


async def test_a_servicer_may_write_instead_of_yielding(serve):
    """A coroutine that writes its frames and returns."""

    async def write(request, context):
        for token in range(3):
            await context.write(frame(token))

    world = await serve(WatchJob=write)
    assert await everything(world.jobs.WatchJob(watch())) == ["0", "1", "2"]


async def test_who_breaks_off_can_go_on(serve):
    """As long as the call is kept."""
    world = await serve(WatchJob=three)
    call = world.jobs.WatchJob(watch())
    async for message in call:
        assert message.resume_token == "0"
        break
    assert await everything(call) == ["1", "2"]


async def test_reading_and_iterating_do_not_mix(serve):
    """Either, whichever came first."""
    world = await serve(WatchJob=three)
    call = world.jobs.WatchJob(watch())
    await call.read()
    with pytest.raises(aio.UsageError):
        await everything(call)
    call.cancel()
    call = world.jobs.WatchJob(watch())
    async for _ in call:
        break
    with pytest.raises(aio.UsageError):
        await call.read()
    call.cancel()


async def test_a_stream_is_not_done_before_its_frames_were_read(serve):
    """Its status comes after them."""
    ended = asyncio.Event()

    async def one(request, context):
        yield frame("only")
        ended.set()

    world = await serve(WatchJob=one)
    call = world.jobs.WatchJob(watch())
    await call.wait_for_connection()
    await ended.wait()
    assert not call.done()
    assert (await call.read()).resume_token == "only"
    assert await call.read() is aio.EOF
    assert await call.code() is StatusCode.OK


@pytest.mark.parametrize("how", ["abort", "raise", "set"])
async def test_a_failure_comes_after_the_frames_before_it(serve, how):
    """Nothing that was sent is lost; every further read fails again."""

    async def fail(request, context):
        yield frame("before")
        if how == "abort":
            await context.abort(StatusCode.ABORTED, "half way", (("a", "1"),))
        context.set_code(StatusCode.ABORTED)
        context.set_details("half way")
        context.set_trailing_metadata((("a", "1"),))
        if how == "raise":
            raise ValueError("in a stream")

    world = await serve(WatchJob=fail)
    call = world.jobs.WatchJob(watch())
    assert (await call.read()).resume_token == "before"
    details = "Unexpected <class 'ValueError'>: in a stream" if how == "raise" else "half way"
    assert await outcome(call.read()) == ("ABORTED", details)
    assert await outcome(call.read()) == ("ABORTED", details)
    assert tuple(await call.trailing_metadata()) == (("a", "1"),)


async def test_a_generator_that_swallows_its_abort_yields_nothing_more(serve):
    """The abort stands."""

    async def swallow(request, context):
        try:
            await context.abort(StatusCode.ABORTED, "stands")
        except aio.AbortError:
            yield frame("too late")

    world = await serve(WatchJob=swallow)
    assert await outcome(everything(world.jobs.WatchJob(watch()))) == ("ABORTED", "stands")


async def test_a_frame_over_the_limit_ends_the_stream(serve):
    """After the frames before it; the generator is closed."""
    closed = asyncio.Event()

    async def grow(request, context):
        try:
            yield frame("small")
            yield frame("x" * 1000)
            while True:
                yield frame("never read")
        finally:
            closed.set()

    world = await serve(WatchJob=grow, max_bytes=1000)
    call = world.jobs.WatchJob(watch())
    assert (await call.read()).resume_token == "small"
    code, details = await outcome(call.read())
    assert code == "RESOURCE_EXHAUSTED"
    assert "CLIENT: Received message larger than max (1003 vs. 1000)" in details
    await closed.wait()


async def test_a_reader_that_stops_stops_the_servicer(serve):
    """Frames of 1 MB: a few are under way, the rest is not made while a hundred other calls come and go."""
    made = 0

    async def pour(request, context):
        nonlocal made
        while made < 1000:
            made += 1
            yield frame("x" * 1_000_000)

    async def get_job(request, context):
        return GetJobResponse()

    world = await serve(WatchJob=pour, GetJob=get_job)
    call = world.jobs.WatchJob(watch())
    await call.read()
    for _ in range(100):
        await world.jobs.GetJob(ask())
    assert made < 20
    call.cancel()


async def test_streams_of_many_calls_do_not_mix(serve):
    """Fifty at once, each gets its own."""

    async def count(request, context):
        for number in range(20):
            yield frame(f"{request.request.job_id}-{number}")

    world = await serve(WatchJob=count)
    streams = await asyncio.gather(*(everything(world.jobs.WatchJob(watch(f"j{job}"))) for job in range(50)))
    assert streams == [[f"j{job}-{number}" for number in range(20)] for job in range(50)]


# Both ways.


async def test_a_talk_takes_turns(serve):
    """Write, read, write, read: nobody has to end first."""
    world = await serve(Talk=echo)
    call = world.talk()
    heard = []
    for word in (b"a", b"b", b"c"):
        await call.write(word)
        heard.append(await call.read())
    await call.done_writing()
    assert await call.read() is aio.EOF
    assert heard == [b"<a>", b"<b>", b"<c>"]
    assert await call.code() is StatusCode.OK


async def test_a_talk_over_iterators(serve):
    """The client's runs while the servicer's does."""
    world = await serve(Talk=echo)
    call = world.talk(bytes_of(b"a", b"b", b"c"))
    assert [message async for message in call] == [b"<a>", b"<b>", b"<c>"]


async def test_a_talk_that_the_servicer_ends_is_over_for_the_writer(serve):
    """Its answers arrive, its status too; writing on is refused."""

    async def hang_up(requests, context):
        async for request in requests:
            yield request
            await context.abort(StatusCode.ABORTED, "enough")

    world = await serve(Talk=hang_up)
    call = world.talk()
    await call.write(b"a")
    assert await call.read() == b"a"
    assert await outcome(call.read()) == ("ABORTED", "enough")
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(b"b")


async def test_cancelling_a_talk_ends_both_directions(serve):
    """The servicer is cancelled, the client's iterator is closed."""
    over, source_closed, began = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def listen(requests, context):
        try:
            async for _ in requests:
                began.set()
            await asyncio.Event().wait()
            yield b""
        finally:
            over.set()

    async def source():
        try:
            yield b"a"
            await asyncio.Event().wait()
        finally:
            source_closed.set()

    world = await serve(Talk=listen)
    call = world.talk(source())
    await began.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.read()
    await over.wait()
    await source_closed.wait()
