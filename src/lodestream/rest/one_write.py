"""A connection's transport that sends what is written at a stretch in one piece: an answer's head and body are one call
into the kernel and one packet instead of two.
"""

import asyncio
from typing import Any, Final

#: More than this is not held back: the transport says then whether the caller reads too slowly.
MOST_HELD_BYTES: Final = 64 * 1024


class OneWrite:
    """Holds writes until the task that writes lets others run. Everything else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._size = 0
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Sends it soon, after what was written before."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > MOST_HELD_BYTES:
            self._flush()

    def close(self) -> None:
        """Sends what is held, then closes."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            held, self._held, self._size = self._held, [], 0
            self._transport.write(b"".join(held))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
