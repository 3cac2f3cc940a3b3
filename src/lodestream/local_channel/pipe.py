"""Frames in one direction, in order, with the writer at most two ahead of the reader; and the bell both wait for."""

import asyncio
from collections import deque
from typing import Final

from grpc import aio

# Frames that may lie unread. The writer makes one more and waits with it in hand.
ROOM: Final = 1


class CallOver(aio.InternalError):
    """The other end of the call has gone; nothing more can be sent or received."""


class Bell:
    """Wakes everyone who waits for it; who wakes looks again whether it was for them."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Until it rings next."""
        # A future of its own for each: cancelling one who waits must not wake the others.
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future in self._waiting:
                self._waiting.remove(future)
            raise

    def ring(self) -> None:
        """Wake them all."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)


class Pipe:
    """Carries frames until it is closed (what lies in it can still be read) or cut (nothing can)."""

    __slots__ = ("_cut", "_frames", "_news", "closed")

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._news = Bell()
        self._cut = False
        self.closed = False

    @property
    def empty(self) -> bool:
        """Whether no frame lies unread."""
        return not self._frames

    async def put(self, frame: bytes) -> None:
        """Waits for room first. Raises CallOver when the pipe is or becomes closed."""
        while len(self._frames) >= ROOM and not self.closed:
            await self._news.wait()
        if self.closed:
            raise CallOver("The call is over: nothing more can be sent.")
        self._frames.append(frame)
        self._news.ring()

    async def take(self) -> bytes | None:
        """The next frame, or None at the end. Raises CallOver when the pipe is or becomes cut."""
        while not self._frames:
            if self._cut:
                raise CallOver("The call is over: its stream broke off.")
            if self.closed:
                return None
            await self._news.wait()
        frame = self._frames.popleft()
        self._news.ring()
        return frame

    def close(self) -> None:
        """No further frames."""
        self.closed = True
        self._news.ring()

    def cut(self) -> None:
        """Drop what was not read and let nobody wait."""
        self._cut = True
        self._frames.clear()
        self.close()
