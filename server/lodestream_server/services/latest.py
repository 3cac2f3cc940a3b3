"""The loop behind streams whose frames replace each other: metrics, tracked jobs, the queue.

A slow reader gets the latest state, never a backlog: what comes while a frame waits to be sent is in the next one. The
rules of resume, reset, bookmarks, age and going down are those of `watching`; a token holds the number of the newest
event that the last frame knew, so resuming where nothing happened since sends nothing old again.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf.message import Message

from lodestream.v1 import common_pb2
from lodestream_server.runs.events import Event
from lodestream_server.services.tokens import FAULTS, Stream
from lodestream_server.services.watching import Pace, Streams

Batches = AsyncIterator[tuple[Event, ...]]


@dataclass(frozen=True, slots=True)
class View:
    """What a stream keeps showing.

    `newest` is the number of the newest event there is; `batches` tells what comes after such a number, `number` an
    event's; `matters` whether a batch, which may be empty, changes the picture; `show` makes the picture, and `over`
    says, after it, how the stream ends (None: it goes on). Frames are `least_s` apart.
    """

    frame: Callable[..., Message]
    newest: Callable[[], Awaitable[int]]
    batches: Callable[[int, float], Batches]
    number: Callable[[Event], int]
    matters: Callable[[Sequence[Event]], Awaitable[bool]]
    show: Callable[[], Awaitable[Message]]
    over: Callable[[], Awaitable[common_pb2.Done | None]]
    least_s: float = 1.0
    #: Whether the picture may change without an event: a reader who comes back then always gets it.
    moves_by_itself: bool = False


async def latest(
    view: View, stream: Stream, streams: Streams, pace: Pace, resume_token: str = ""
) -> AsyncIterator[Message]:
    """The frames of one stream."""
    task = streams.enter()
    try:
        async for frame in _frames(view, stream, streams, pace, resume_token):
            yield frame
    except asyncio.CancelledError:
        if not streams.ended_by_us(task):
            raise
    finally:
        streams.leave(task)


async def _frames(
    view: View, stream: Stream, streams: Streams, pace: Pace, resume_token: str
) -> AsyncIterator[Message]:
    now = asyncio.get_running_loop().time
    ends, newest = pace.end(now()), await view.newest()
    seen = stream.read(resume_token) if resume_token else 0
    if isinstance(seen, int) and seen > newest:
        seen = "BEYOND_LOG"
    if isinstance(seen, str):
        yield view.frame(resume_token=stream.token(0), reset=common_pb2.Reset(reason=seen, message=FAULTS[seen]))
        seen = 0
    done = await view.over() if seen else None
    if seen != newest or not seen or view.moves_by_itself:
        yield view.frame(resume_token=stream.token(newest), snapshot=await view.show())
        done = await view.over()
    spoke, cursor = now(), newest
    if done is None and not streams.ending:
        waits = view.batches(cursor, pace.bookmark_s / 2)
        async with aclosing(cast(AsyncGenerator[tuple[Event, ...], Any], waits)) as batches:
            async for batch in batches:
                cursor = view.number(batch[-1]) if batch else cursor
                if await view.matters(batch):
                    await asyncio.sleep(max(0.0, spoke + view.least_s - now()))
                    # What ends the stream is looked for first: the picture then shows at least as much.
                    done = await view.over()
                    yield view.frame(resume_token=stream.token(cursor), snapshot=await view.show())
                    spoke = now()
                elif now() - spoke >= pace.bookmark_s * 0.49:
                    yield view.frame(resume_token=stream.token(cursor), bookmark=common_pb2.Bookmark())
                    spoke = now()
                if done is not None or now() >= ends or streams.ending:
                    break
    if done is not None:
        yield view.frame(resume_token=stream.token(cursor), done=done)
