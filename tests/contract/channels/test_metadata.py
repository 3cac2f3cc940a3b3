"""Metadata in both directions, before and after the messages. Over both channels."""

import asyncio

import pytest
from grpc import StatusCode, aio

from lodestream.v1.job_pb2 import GetJobResponse
from tests.contract.channels.world import ask, frame, outcome, watch

GIVEN = (("a", "1"), ("b-bin", b"\x00\xff\n"), ("a", "2"), ("empty", ""), ("spaced", " x "), ("plain", b"bytes"))


def by_key(pairs):
    """The values of each key in their order; the order of keys is free, and the network adds a user-agent."""
    found: dict[str, list[str | bytes]] = {}
    for key, value in pairs:
        if key != "user-agent":
            found.setdefault(key, []).append(value)
    return found


EXPECTED = {"a": ["1", "2"], "b-bin": [b"\x00\xff\n"], "empty": [""], "spaced": [" x "], "plain": ["bytes"]}


@pytest.mark.parametrize("form", [tuple, list, lambda pairs: aio.Metadata(*pairs)], ids=["tuple", "list", "Metadata"])
async def test_the_servicer_gets_what_the_caller_sends(serve, form):
    """Text, bytes and repeated keys; entries can be unpacked and have .key and .value."""
    seen = []

    async def get_job(request, context):
        seen.append(by_key(context.invocation_metadata()))
        seen.append(by_key((entry.key, entry.value) for entry in context.invocation_metadata()))
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    await world.jobs.GetJob(ask(), metadata=form(GIVEN))
    assert seen == [EXPECTED, EXPECTED]


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("Upper", "x", aio.InternalError),
        ("with space", "x", aio.InternalError),
        (":path", "x", aio.InternalError),
        ("", "x", aio.InternalError),
        ("a", "ü", aio.InternalError),
        ("a", "line\nbreak", aio.InternalError),
        ("a", "tab\t", aio.InternalError),
        ("a-bin", "text", TypeError),
        ("a", 1, TypeError),
    ],
)
async def test_what_cannot_be_sent_is_refused(serve, key, value, error):
    """No servicer hears of it."""
    seen = []

    async def get_job(request, context):
        seen.append(request)
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    with pytest.raises(error):
        await world.jobs.GetJob(ask(), metadata=((key, value),))
    await world.jobs.GetJob(ask("the next call passes"))
    assert [request.job_id for request in seen] == ["the next call passes"]


async def test_the_caller_gets_initial_and_trailing_metadata(serve):
    """As grpc.aio.Metadata, with bytes as bytes."""

    async def get_job(request, context):
        await context.send_initial_metadata((("a", "1"), ("a", "2"), ("b-bin", b"\x01")))
        context.set_trailing_metadata((("z", "9"), ("b-bin", b"\x02")))
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask())
    await call
    initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
    assert isinstance(initial, aio.Metadata)
    assert isinstance(trailing, aio.Metadata)
    assert by_key(initial) == {"a": ["1", "2"], "b-bin": [b"\x01"]}
    assert by_key(trailing) == {"z": ["9"], "b-bin": [b"\x02"]}


async def test_an_error_carries_both(serve):
    """What was sent before the failure, and what came with it."""

    async def get_job(request, context):
        await context.send_initial_metadata((("first", "1"),))
        await context.abort(StatusCode.ABORTED, "then", (("last", "2"),))

    world = await serve(GetJob=get_job)
    with pytest.raises(aio.AioRpcError) as caught:
        await world.jobs.GetJob(ask())
    assert tuple(caught.value.initial_metadata()) == (("first", "1"),)
    assert tuple(caught.value.trailing_metadata()) == (("last", "2"),)


async def test_metadata_is_empty_where_none_was_sent(serve):
    """Not None."""

    async def get_job(request, context):
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask())
    await call
    assert tuple(await call.initial_metadata()) == tuple(await call.trailing_metadata()) == ()


async def test_a_stream_shows_its_initial_metadata_before_its_first_frame(serve):
    """Whoever waits for it does not wait for frames."""
    go_on = asyncio.Event()

    async def watch_job(request, context):
        await context.send_initial_metadata((("early", "yes"),))
        await go_on.wait()
        yield frame(1)

    world = await serve(WatchJob=watch_job)
    call = world.jobs.WatchJob(watch())
    assert tuple(await call.initial_metadata()) == (("early", "yes"),)
    go_on.set()
    assert (await call.read()).resume_token == "1"


async def test_initial_metadata_goes_out_once(serve):
    """A second time, and a time after the first frame, are refused."""
    refused = []

    async def watch_job(request, context):
        for token in range(2):
            await context.send_initial_metadata((("a", "1"),)) if token == 0 else None
            try:
                await context.send_initial_metadata((("b", "2"),))
            except aio.UsageError as error:
                refused.append(str(error))
            yield frame(token)

    world = await serve(WatchJob=watch_job)
    call = world.jobs.WatchJob(watch())
    async for _ in call:
        pass
    assert tuple(await call.initial_metadata()) == (("a", "1"),)
    assert refused == ["Send initial metadata failed: already sent"] * 2


async def test_initial_metadata_that_cannot_be_sent_fails_the_call(serve):
    """The servicer hears of it, the caller gets INTERNAL."""
    refused = []

    async def get_job(request, context):
        try:
            await context.send_initial_metadata((("Upper", "x"),))
        except aio.InternalError as error:
            refused.append(error)
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    assert await outcome(world.jobs.GetJob(ask())) == ("INTERNAL", "Invalid metadata")
    assert len(refused) == 1


@pytest.mark.parametrize("given", [None, "ab", [["a", "1"]], (("a", 1),), (("a", "b", "c"),)])
async def test_trailing_metadata_of_a_wrong_shape_is_refused_when_it_is_set(serve, given):
    """The servicer gets a TypeError and can still answer."""
    refused = []

    async def get_job(request, context):
        try:
            context.set_trailing_metadata(given)
        except TypeError as error:
            refused.append(error)
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask())
    await call
    assert len(refused) == 1
    assert tuple(await call.trailing_metadata()) == ()


@pytest.mark.parametrize("given", [(("Upper", "x"),), (("a", "ü"),)])
async def test_trailing_metadata_that_cannot_be_sent_fails_the_call(serve, given):
    """It shows when it is sent, with the status: by set_trailing_metadata as by abort."""

    async def get_job(request, context):
        if request.job_id == "abort":
            await context.abort(StatusCode.ABORTED, "x", given)
        context.set_trailing_metadata(given)
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    assert await outcome(world.jobs.GetJob(ask())) == ("INTERNAL", "Invalid metadata")
    assert await outcome(world.jobs.GetJob(ask("abort"))) == ("INTERNAL", "Invalid metadata")
