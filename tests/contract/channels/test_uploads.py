"""Streams of requests: UploadDataset, fed by an iterator or written piece by piece. Over both channels."""

import asyncio
from typing import Any

import pytest
from grpc import StatusCode, aio

from lodestream.v1.dataset_pb2 import UploadDatasetResponse
from lodestream.v1.job_pb2 import GetJobResponse
from tests.contract.channels.world import ask, chunk, chunks, outcome


async def store(requests, context):
    """Answers with what it was sent."""
    pieces = [request.chunk async for request in requests]
    return UploadDatasetResponse(dataset_id=b"|".join(pieces).decode())


async def test_an_async_iterator_feeds_an_upload(serve):
    """Piece after piece, then the answer."""
    world = await serve(UploadDataset=store)
    answer = await world.datasets.UploadDataset(chunks(b"a", b"b", b"c"), metadata=(("k", "v"),), timeout=30)
    assert answer.dataset_id == "a|b|c"


async def test_so_does_any_iterable(serve):
    """A list, for example."""
    world = await serve(UploadDataset=store)
    assert (await world.datasets.UploadDataset([chunk(b"a"), chunk(b"b")])).dataset_id == "a|b"


async def test_an_empty_upload_is_an_upload(serve):
    """The servicer sees its end at once."""
    world = await serve(UploadDataset=store)
    assert (await world.datasets.UploadDataset(chunks())).dataset_id == ""


async def test_pieces_may_be_written_one_by_one(serve):
    """done_writing() may be repeated; writing after it is refused, and so it is after the end."""
    world = await serve(UploadDataset=store)
    call = world.datasets.UploadDataset()
    await call.wait_for_connection()
    await call.write(chunk(b"a"))
    await call.write(chunk(b"b"))
    await call.done_writing()
    await call.done_writing()
    with pytest.raises(asyncio.InvalidStateError, match="half closed"):
        await call.write(chunk(b"c"))
    assert (await call).dataset_id == "a|b"
    with pytest.raises(asyncio.InvalidStateError, match="finished"):
        await call.write(chunk(b"c"))
    await call.done_writing()


async def test_an_iterator_and_write_do_not_mix(serve):
    """The upload itself is not harmed."""
    world = await serve(UploadDataset=store)
    call = world.datasets.UploadDataset(chunks(b"a"))
    with pytest.raises(aio.UsageError):
        await call.write(chunk(b"b"))
    with pytest.raises(aio.UsageError):
        await call.done_writing()
    assert (await call).dataset_id == "a"


async def test_what_is_sent_is_not_what_arrives(serve):
    """A piece that is changed after it was written arrives as it was."""
    world = await serve(UploadDataset=store)
    piece = chunk(b"as written")
    call = world.datasets.UploadDataset()
    await call.write(piece)
    piece.chunk = b"changed"
    await call.done_writing()
    assert (await call).dataset_id == "as written"


async def test_a_servicer_may_read_instead_of_iterating(serve):
    """EOF at the end, again and again."""
    ends = []

    async def read(requests, context):
        pieces = []
        while (request := await context.read()) is not aio.EOF:
            pieces.append(request.chunk)
        ends.append(await context.read() is aio.EOF)
        ends.append([request async for request in requests] == [])
        return UploadDatasetResponse(dataset_id=b"|".join(pieces).decode())

    world = await serve(UploadDataset=read)
    assert (await world.datasets.UploadDataset(chunks(b"a", b"b"))).dataset_id == "a|b"
    assert ends == [True, True]


async def test_an_answer_may_come_before_the_end_of_the_upload(serve):
    """The client has it although its iterator never ends."""

    async def unfinished():
        yield chunk(b"x")
        await asyncio.Event().wait()

    async def first(requests, context):
        async for request in requests:
            return UploadDatasetResponse(dataset_id=f"enough: {request.chunk.decode()}")

    world = await serve(UploadDataset=first)
    assert (await world.datasets.UploadDataset(unfinished())).dataset_id == "enough: x"


async def test_a_refusal_may_come_before_the_end_of_the_upload(serve):
    """A bad header need not wait for a gigabyte."""

    async def unfinished():
        yield chunk(b"x")
        await asyncio.Event().wait()

    async def refuse(requests, context):
        async for _ in requests:
            await context.abort(StatusCode.INVALID_ARGUMENT, "bad header")

    world = await serve(UploadDataset=refuse)
    assert await outcome(world.datasets.UploadDataset(unfinished())) == ("INVALID_ARGUMENT", "bad header")


async def test_who_writes_learns_that_the_upload_was_refused(serve):
    """Writing raises, the call says why."""

    async def refuse(requests, context):
        async for _ in requests:
            await context.abort(StatusCode.INVALID_ARGUMENT, "bad header")

    world = await serve(UploadDataset=refuse)
    call = world.datasets.UploadDataset()
    await call.write(chunk(b"header"))
    assert await call.code() is StatusCode.INVALID_ARGUMENT
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(chunk(b"more"))
    assert await outcome(call) == ("INVALID_ARGUMENT", "bad header")


async def test_an_iterator_that_raises_cancels_the_upload(serve):
    """What it raised stays with the client; nobody gets an answer."""

    async def broken():
        yield chunk(b"a")
        raise ValueError("the file went away")

    world = await serve(UploadDataset=store)
    call = world.datasets.UploadDataset(broken())
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await call.code() is StatusCode.CANCELLED


async def test_cancelling_an_upload_cancels_its_servicer_and_closes_its_iterator(serve):
    """Also while both wait."""
    began, over, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def wait(requests, context):
        try:
            async for _ in requests:
                began.set()
            await asyncio.Event().wait()
        finally:
            over.set()

    async def source():
        try:
            yield chunk(b"a")
            await asyncio.Event().wait()
        finally:
            closed.set()

    world = await serve(UploadDataset=wait)
    call = world.datasets.UploadDataset(source())
    waiting = asyncio.ensure_future(call)
    await began.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await over.wait()
    await closed.wait()


@pytest.mark.parametrize("by", ["cancel", "task", "deadline"])
async def test_a_writer_that_waits_for_room_is_told_of_the_end(serve, by):
    """The servicer does not read; the writer is stopped by back-pressure, then by the end."""
    began, over = asyncio.Event(), asyncio.Event()
    written = 0

    async def stall(requests, context):
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            over.set()

    async def get_job(request, context):
        return GetJobResponse()

    world = await serve(UploadDataset=stall, GetJob=get_job)
    call = world.datasets.UploadDataset(timeout=0.3 if by == "deadline" else None)

    async def write():
        nonlocal written
        while written < 1000:
            await call.write(chunk(b"x" * 1_000_000))
            written += 1

    writer = asyncio.create_task(write())
    await began.wait()
    for _ in range(50):  # time enough to write it all, if nothing held the writer up
        await world.jobs.GetJob(ask())
    if by == "cancel":
        call.cancel()
    if by == "task":
        writer.cancel()
    with pytest.raises(aio.AioRpcError if by == "deadline" else asyncio.CancelledError):
        await writer
    assert written < 20
    await over.wait()


async def test_a_piece_over_the_limit_ends_the_upload(serve):
    """With an error for the client; the servicer gives no answer."""
    world = await serve(UploadDataset=store, max_bytes=1000)
    assert (await world.datasets.UploadDataset(chunks(b"x" * 997))).dataset_id == "x" * 997
    code, _ = await outcome(world.datasets.UploadDataset(chunks(b"a", b"x" * 998, b"b")))
    assert code in {"RESOURCE_EXHAUSTED", "INTERNAL"}  # over the network the writer's own error may win


async def test_the_answer_to_an_upload_has_metadata_and_callbacks_like_any(serve):
    """Initial, trailing, done."""
    told: list[Any] = []

    async def answer(requests, context):
        await context.send_initial_metadata((("a", "1"),))
        context.set_trailing_metadata((("z", "9"),))
        async for _ in requests:
            pass
        return UploadDatasetResponse()

    world = await serve(UploadDataset=answer)
    call = world.datasets.UploadDataset(chunks(b"a"))
    call.add_done_callback(told.append)
    await call
    assert tuple(await call.initial_metadata()) == (("a", "1"),)
    assert tuple(await call.trailing_metadata()) == (("z", "9"),)
    assert told == [call]
