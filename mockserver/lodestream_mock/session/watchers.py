"""How many streams of a session still have something to tell: what `advance` waits for.

A stream is busy from its opening to its end, except while it waits for the clock. A jump of the clock makes every
waiting one busy at once, before any of them has run again.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Watchers:
    """Counts; belongs to one event loop."""

    def __init__(self) -> None:
        self._busy = 0
        self._waiting = 0
        self._jumps = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @contextmanager
    def open(self) -> Iterator[None]:
        """For as long as a stream is open."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While a stream waits for the clock."""
        self._leave()
        self._waiting += 1
        jumps = self._jumps
        try:
            yield
        finally:
            if jumps == self._jumps:  # a timer or a goodbye woke it; after a jump it counts as busy already
                self._waiting -= 1
                self._enter()

    def jumped(self) -> None:
        """The clock has jumped."""
        self._jumps += 1
        waiting, self._waiting = self._waiting, 0
        for _ in range(waiting):
            self._enter()

    async def settled(self) -> None:
        """Returns when every stream waits."""
        await self._quiet.wait()

    def _enter(self) -> None:
        self._busy += 1
        self._quiet.clear()

    def _leave(self) -> None:
        self._busy -= 1
        if not self._busy:
            self._quiet.set()
