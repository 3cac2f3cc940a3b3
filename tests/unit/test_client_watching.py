"""A watch tells every event once and in order, whatever the connection does."""

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import EOF, AioRpcError, Metadata
from hypothesis import given
from hypothesis import strategies as st

from lodestream.client.calls import Caller
from lodestream.client.patience import Gap, Patience
from lodestream.client.problems import BrokenStream, ServerUnreachable
from lodestream.client.settings import Settings
from lodestream.client.watching import Watch, unseen
from lodestream.errors import RunNotFound
from lodestream.rich_status import to_trailers
from lodestream.v1.common_pb2 import Bookmark, Done, Reset
from lodestream.v1.event_pb2 import RunEvent, RunEvents
from lodestream.v1.job_pb2 import GetJobResponse, WatchJobResponse

HASTY = Patience(give_up_s=5.0, first_delay_s=0.0001, longest_delay_s=0.001, silence_s=5.0)
CALLER = Caller(channel=None, settings=Settings("127.0.0.1:1"))  # type: ignore[arg-type]  # nothing is dialled here


class Stream:
    """A call that answers from a script: frames, then its end, or an error."""

    def __init__(self, script: list[Any]) -> None:
        self.script, self.cancelled = script, False

    async def read(self) -> Any:
        await asyncio.sleep(0)
        item = self.script.pop(0) if self.script else EOF
        if isinstance(item, Exception):
            raise item
        return item

    def cancel(self) -> None:
        self.cancelled = True


class Server:
    """A log of so many events behind streams that `cut` may shorten and `garble` may change."""

    def __init__(self, events: int, cut: Callable[[list[Any]], list[Any]] = list) -> None:
        self.events, self.cut = events, cut
        self.streams: list[Stream] = []
        self.tokens: list[str] = []

    def __call__(self, token: str) -> Stream:
        after = int(token or 0)
        script: list[Any] = [] if token else [snapshot(0)]
        script += [frame(range(at, min(at + 3, self.events + 1))) for at in range(after + 1, self.events + 1, 3)]
        script.append(WatchJobResponse(resume_token=str(self.events), done=Done()))
        self.streams.append(Stream(self.cut(script)))
        self.tokens.append(token)
        return self.streams[-1]


def frame(numbers: range) -> WatchJobResponse:
    """A frame with these events, and the token that follows them."""
    events = RunEvents(events=[RunEvent(sequence=number) for number in numbers])
    return WatchJobResponse(resume_token=str(numbers[-1]), events=events)


def snapshot(at: int) -> WatchJobResponse:
    """A frame with the state at an event."""
    return WatchJobResponse(resume_token=str(at), snapshot=GetJobResponse(job_id="j"))


def status(code: StatusCode, error: Exception | None = None) -> AioRpcError:
    """How a call ends."""
    trailers = Metadata(*to_trailers(error)) if isinstance(error, RunNotFound) else Metadata()
    return AioRpcError(code, Metadata(), trailers, details="gone")


def watch(opener: Any, **options: Any) -> Watch[GetJobResponse, RunEvent]:
    """A watch over scripted calls."""
    return Watch(CALLER, opener, patience=HASTY, **options)


async def sequences(stream: Watch[GetJobResponse, RunEvent]) -> list[int]:
    """Everything a watch yields: the numbers of events, 0 for a snapshot."""
    return [item.sequence if isinstance(item, RunEvent) else 0 async for item in stream]


@pytest.mark.parametrize("seed", range(20))
async def test_a_stream_that_breaks_anywhere_is_told_without_gap_or_repeat(seed):
    """Cut after any frame, by any passing failure or by nothing at all: 1, 2, 3 … to the end, once."""
    chance = random.Random(seed)
    ends: list[Any] = [EOF, *(status(code) for code in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED))]

    def cut(script: list[Any]) -> list[Any]:
        whole = chance.random() < 0.2
        return script if whole else [*script[: chance.randint(0, len(script) - 1)], chance.choice(ends)]

    server = Server(60, cut)
    followed = watch(server)
    told = await sequences(followed)
    assert [number for number in told if number] == list(range(1, 61))
    assert all(stream.cancelled for stream in server.streams)
    assert followed.done is not None
    assert followed.resumptions == len(server.streams) - 1


async def test_frames_that_come_again_are_not_told_again():
    """A server that repeats what the token already covers does no harm."""
    first = [snapshot(0), frame(range(1, 4)), frame(range(2, 6)), frame(range(1, 7))]
    done = WatchJobResponse(resume_token="6", done=Done())
    assert await sequences(watch(lambda token: Stream([*first, done]))) == [0, 1, 2, 3, 4, 5, 6]


async def test_a_hole_is_mended_by_resuming_from_before_it():
    """A frame that skips a number is not told; the next connection continues from the last good token."""
    tokens: list[str] = []

    def opener(token: str) -> Stream:
        tokens.append(token)
        if not token:
            return Stream([snapshot(0), frame(range(1, 4)), frame(range(6, 8))])
        return Stream([frame(range(4, 8)), WatchJobResponse(resume_token="7", done=Done())])

    assert await sequences(watch(opener)) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert tokens == ["", "3"]


async def test_a_hole_that_stays_is_an_error_and_not_silence():
    """Events that the server no longer has cannot be skipped quietly."""
    with pytest.raises(BrokenStream, match="after event 3 came 6"):
        await sequences(watch(lambda token: Stream([frame(range(1, 4)), frame(range(6, 8))])))


async def test_a_filtered_stream_may_leave_holes_but_never_goes_back():
    """Log lines are numbered among all events of the run."""
    frames = [frame(range(2, 3)), frame(range(9, 10)), frame(range(5, 6)), frame(range(12, 13))]
    done = WatchJobResponse(resume_token="x", done=Done())
    assert await sequences(watch(lambda token: Stream([*frames, done]), holes=True)) == [2, 9, 12]


async def test_a_reset_gives_a_fresh_snapshot_and_numbers_may_start_over():
    """When the token is void the state comes again, and what follows it is told."""

    def opener(token: str) -> Stream:
        if not token:
            return Stream([snapshot(0), frame(range(1, 10))])
        reset = WatchJobResponse(resume_token="", reset=Reset(reason="OTHER_STORE"))
        done = WatchJobResponse(resume_token="4", done=Done())
        return Stream([reset, snapshot(2), frame(range(3, 5)), done])

    assert await sequences(watch(opener)) == [0, *range(1, 10), 0, 3, 4]


async def test_a_replay_that_does_not_begin_with_the_first_event_is_not_believed():
    """With replay the story starts at 1; a stream that starts later has lost its beginning."""
    with pytest.raises(BrokenStream):
        await sequences(watch(lambda token: Stream([frame(range(2, 4))]), from_one=True))


async def test_a_watch_can_be_continued_by_another_process_in_the_middle_of_a_frame():
    """Token and sequence after any item are enough: what was told is not told again, what was not is."""
    for stop in range(1, 12):
        first = watch(Server(12))
        async for item in first:
            if isinstance(item, RunEvent) and item.sequence == stop:
                break
        await first.aclose()
        second = watch(Server(12), token=first.token, after=first.sequence)
        rest = [number for number in await sequences(second) if number]
        assert rest == list(range(stop + 1, 13))


async def test_leaving_early_cancels_the_stream_of_the_server():
    """A stream that nobody reads must not stay open at the server."""
    server = Server(12)
    async with watch(server) as updates:
        async for _ in updates:
            break
    assert [stream.cancelled for stream in server.streams] == [True]
    assert [item async for item in updates] == []


async def test_bookmarks_are_signs_of_life_and_nothing_else():
    """They move the token and are not told."""
    mark = WatchJobResponse(resume_token="3", bookmark=Bookmark())
    server = Server(3, lambda script: [mark, mark, *script])
    assert await sequences(watch(server)) == [0, 1, 2, 3]


async def test_a_refusal_is_raised_at_once_as_what_the_server_raised():
    """An unknown run stays unknown however often one asks."""
    calls: list[str] = []

    def opener(token: str) -> Stream:
        calls.append(token)
        return Stream([status(StatusCode.NOT_FOUND, RunNotFound())])

    with pytest.raises(RunNotFound):
        await sequences(watch(opener))
    assert calls == [""]


async def test_a_server_that_stays_away_is_given_up_after_the_patience():
    """The error says who did not answer, for how long and why."""
    patient = Patience(give_up_s=0.05, first_delay_s=0.001, longest_delay_s=0.005)
    with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:1 for 0\.05 s"):
        await sequences(Watch(CALLER, lambda token: Stream([status(StatusCode.UNAVAILABLE)]), patience=patient))


async def test_a_connection_that_falls_silent_is_taken_up_again():
    """Without bookmarks the connection counts as dead, though nobody has said so."""

    class Silent(Stream):
        async def read(self) -> Any:
            return await (super().read() if self.script else asyncio.Event().wait())

    silent = Silent([snapshot(0), frame(range(1, 3))])
    streams: Iterator[Any] = iter([silent, Server(4)("2")])
    hasty = Patience(give_up_s=5.0, first_delay_s=0.0001, silence_s=0.02)
    assert await sequences(Watch(CALLER, lambda token: next(streams), patience=hasty)) == [0, 1, 2, 3, 4]
    assert silent.cancelled


async def test_cancelling_the_reader_is_no_broken_connection():
    """A task that is cancelled while it waits ends, and so does the server's stream."""
    started = asyncio.Event()

    class Waiting(Stream):
        async def read(self) -> Any:
            started.set()
            return await asyncio.Event().wait()

    stream = Waiting([])
    reader = asyncio.create_task(sequences(watch(lambda token: stream)))
    await started.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert stream.cancelled


@given(st.lists(st.integers(1, 30), max_size=40), st.integers(0, 20))
def test_whatever_numbers_come_what_is_told_rises_by_one(numbers, last):
    """Either the told numbers continue the last one without a hole, or the frame is refused whole."""
    events = [RunEvent(sequence=number) for number in numbers]
    try:
        told = [event.sequence for event in unseen(events, last, holes=False, from_one=True)]
    except Gap:
        return
    assert told == list(range(last + 1, last + 1 + len(told)))


def test_waits_grow_to_a_bound_and_are_jittered():
    """A thousand watchers of one server do not come back in the same instant, nor after an hour."""
    patience = Patience(first_delay_s=0.1, longest_delay_s=5.0)
    assert max(patience.delay_s(0) for _ in range(200)) <= 0.1
    late = [patience.delay_s(1000) for _ in range(200)]
    assert max(late) <= 5.0
    assert len(set(late)) > 100
