"""The answers that stay open, so that a stopping server can end them: nothing else would."""

import asyncio
from collections.abc import Callable


class Streams:
    """Counts open streams and tells them when the facade stops."""

    def __init__(self) -> None:
        self._open: set[Callable[[], None]] = set()
        self._closing = False
        self._none_open = asyncio.Event()
        self._none_open.set()

    @property
    def closing(self) -> bool:
        """Whether the facade is stopping: no stream begins any more."""
        return self._closing

    def enter(self, end: Callable[[], None]) -> None:
        """Registers a stream; `end` is called once when the facade stops."""
        self._open.add(end)
        self._none_open.clear()

    def leave(self, end: Callable[[], None]) -> None:
        """Takes a stream out."""
        self._open.discard(end)
        if not self._open:
            self._none_open.set()

    async def close(self) -> None:
        """Ends every stream and returns when the last one has gone."""
        self._closing = True
        for end in list(self._open):
            end()
        await self._none_open.wait()
