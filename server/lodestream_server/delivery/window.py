"""The deliveries of one endpoint that are begun and not settled. Bounds how many there are, and knows how far the log
is settled: that is the cursor to store. Lives on the loop."""

import asyncio


class Window:
    """Positions of the store, entered in ascending order, settled in any."""

    def __init__(self, cursor: int, size: int) -> None:
        #: Newest position read, whether it gave something to deliver or not.
        self.read = cursor
        self._room = asyncio.Semaphore(size)
        self._open: dict[int, None] = {}

    async def enter(self, position: int) -> None:
        """A delivery begins; waits while too many are open."""
        await self._room.acquire()
        self._open[position] = None
        self.read = position

    def settle(self, position: int) -> None:
        """It is settled, durably."""
        del self._open[position]
        self._room.release()

    @property
    def cursor(self) -> int:
        """Everything up to here is settled, durably."""
        return self.without(0)

    def without(self, position: int) -> int:
        """The cursor if that one were settled too."""
        oldest = next((one for one in self._open if one != position), None)
        return self.read if oldest is None else oldest - 1
