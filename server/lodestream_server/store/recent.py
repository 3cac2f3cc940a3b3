"""The newest events in memory, numbered without holes, and one wake-up for all who wait for more.

A watcher keeps only its cursor. A thousand of them at the same cursor share one slice; one that fell behind reads
from SQLite and costs the others nothing. Lives on the loop; fed after commits.
"""

import asyncio
from collections.abc import Callable, Sequence

from lodestream_server.runs.events import Event


class Recent:
    """A window over one numbered log: a run's by sequence, or the store's by position."""

    def __init__(self, number: Callable[[Event], int], newest: int, keep: int = 1024) -> None:
        self._number = number
        self._keep = keep
        self._events: list[Event] = []
        self._waiting: asyncio.Future[None] | None = None
        self._slice: tuple[int, tuple[Event, ...]] = (-1, ())
        #: Number of the newest committed event.
        self.newest = newest
        #: Watchers that read here now; with any, the window must stay.
        self.holders = 0

    def add(self, events: Sequence[Event]) -> None:
        """Events just committed, in order; wakes everybody."""
        self._events.extend(events)
        if len(self._events) > 2 * self._keep:
            del self._events[: -self._keep]
        self.newest = self._number(events[-1])
        self._slice = (-1, ())
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.set_result(None)

    def after(self, cursor: int) -> tuple[Event, ...] | None:
        """All events above the cursor; None when the window does not reach back that far."""
        if cursor >= self.newest:
            return ()
        if self._slice[0] == cursor:
            return self._slice[1]
        if not self._events or cursor + 1 < self._number(self._events[0]):
            return None
        found = tuple(self._events[cursor + 1 - self._number(self._events[0]) :])
        self._slice = (cursor, found)
        return found

    async def more(self, cursor: int, timeout_s: float | None) -> bool:
        """Waits until there is something above the cursor; False when the time is over first."""
        while cursor >= self.newest:
            if self._waiting is None:
                self._waiting = asyncio.get_running_loop().create_future()
            done, _ = await asyncio.wait((self._waiting,), timeout=timeout_s)
            if not done:
                return False
        return True
