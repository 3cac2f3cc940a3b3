"""What both ends of one call share: its frames, its metadata and how it ended.

The client's call and the servicer's task both hold the exchange; it never holds the call, so that a call which nobody
keeps is collected (and a stream then ends) while its servicer runs. The first ending counts and never changes.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from grpc import StatusCode

from lodestream.local_channel.metadata import Pairs
from lodestream.local_channel.pipe import Bell, CallOver, Pipe


class Ending(NamedTuple):
    """A status with its trailing metadata; `local` when the client itself cancelled."""

    code: StatusCode
    details: str
    trailing: Pairs = ()
    local: bool = False


# The texts are grpc.aio's: callers see the same over both channels.
FINE: Final = Ending(StatusCode.OK, "")
EXPIRED: Final = Ending(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
CANCELLED: Final = Ending(StatusCode.CANCELLED, "Locally cancelled by application!", local=True)
DROPPED: Final = Ending(StatusCode.CANCELLED, "Cancelled upon garbage collection!", local=True)
STOPPED: Final = Ending(StatusCode.UNAVAILABLE, "Cancelling all calls")


class Exchange:
    """One call between its ends. `requests` and `answers` are pipes where that direction is a stream."""

    # Defaults of the class: most calls need few of them, and every attribute set is time.
    requests: Pipe | None = None
    answer: bytes | None = None
    answers: Pipe | None = None
    initial: Pairs | None = None
    ending: Ending | None = None  # as the client sees it
    held: Ending | None = None  # the servicer's ending while frames before it are unread
    cause: Exception | None = None  # what the client's request iterator raised
    when_ended: Callable[[], None] | None = None
    deadline: float | None = None  # on the loop's clock
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None  # the servicer's
    begun = False  # the task has taken its first step
    pump: asyncio.Task[None] | None = None  # while it feeds the client's request iterator in

    def __init__(
        self, method: str, metadata: Pairs, request: bytes | None, streams_answers: bool, max_answer_bytes: int
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.method = method
        self.metadata = metadata
        self.request = request  # None: a stream, or taken already
        self.max_answer_bytes = max_answer_bytes
        self.news = Bell()  # initial metadata, ending
        if request is None:
            self.requests = Pipe()
        if streams_answers:
            self.answers = Pipe()

    # The servicer's side.

    def begin(self, initial: Pairs = ()) -> None:
        """Initial metadata goes out, once, before the first frame."""
        if self.initial is None:
            self.initial = initial
            self.news.ring()

    async def receive(self) -> bytes | None:
        """The next request, None after the last. Raises CallOver when the client has gone."""
        if self.requests is not None:
            return await self.requests.take()
        request, self.request = self.request, None
        return request

    async def send(self, frame: bytes) -> None:
        """Waits until the reader is near. Raises CallOver when the client has gone or the frame is too large."""
        if len(frame) > self.max_answer_bytes:
            self.finish(_too_large("CLIENT", len(frame), self.max_answer_bytes))
            raise CallOver("The answer is larger than the client takes.")
        self.begin()
        if self.answers is not None:
            await self.answers.put(frame)
        elif self.answer is None:
            self.answer = frame
        else:
            self.finish(Ending(StatusCode.INTERNAL, "Too many response messages for a unary call"))
            raise CallOver("A unary call has one answer.")

    def finish(self, ending: Ending) -> None:
        """The servicer's last word; the client hears it after the frames before it."""
        if self.ending is not None or self.held is not None:
            return
        self._release_requests()
        if self.answers is not None:
            self.answers.close()
            if not self.answers.empty:
                self.held = ending
                self.begin()
                return
        self._settle(ending)

    # The client's side.

    async def take(self) -> bytes | None:
        """The next answer of a stream; None when the call has ended."""
        assert self.answers is not None  # calls without a stream of answers have no read()
        try:
            frame = await self.answers.take()
        except CallOver:
            return None
        if self.held is not None and self.answers.empty:
            self._settle(self.held)
        return frame

    async def offer(self, frame: bytes, max_bytes: int) -> None:
        """Waits until the servicer is near. Raises CallOver when the call has ended or the frame is too large."""
        assert self.requests is not None  # calls without a stream of requests have no write()
        if refusal := too_large_request(len(frame), max_bytes):
            self.end(refusal)
        await self.requests.put(frame)

    def end(self, ending: Ending) -> bool:
        """The end at once, whatever is under way: frames are dropped, the servicer is cancelled. False if ended."""
        if self.ending is not None:
            return False
        if self.answers is not None:
            self.answers.cut()
        self._release_requests()
        self._settle(ending)
        # A task that is cancelled before its first step never runs its `finally`; it looks for the ending instead.
        if self.task is not None and self.begun and self.held is None:
            self.task.cancel()
        return True

    async def ended(self) -> Ending:
        """Waits for the end; cancelling who waits here does not touch the call."""
        while self.ending is None:
            await self.news.wait()
        return self.ending

    def _release_requests(self) -> None:
        if self.requests is not None:
            self.requests.cut()
        # Cancelled once, and not while it ends by itself: it closes its iterator then.
        pump, self.pump = self.pump, None
        if pump is not None and pump is not asyncio.current_task():
            pump.cancel()

    def _settle(self, ending: Ending) -> None:
        self.ending = ending
        if self.initial is None:
            self.initial = ()
        if self.timer is not None:
            self.timer.cancel()
        self.news.ring()
        if self.when_ended is not None:
            tell, self.when_ended = self.when_ended, None
            tell()


def too_large_request(size: int, max_bytes: int) -> Ending | None:
    """How a request of this size ends its call; None if it may pass."""
    return _too_large("SERVER", size, max_bytes) if size > max_bytes else None


def _too_large(side: str, size: int, max_bytes: int) -> Ending:
    details = f"{side}: Received message larger than max ({size} vs. {max_bytes})"
    return Ending(StatusCode.RESOURCE_EXHAUSTED, details)
