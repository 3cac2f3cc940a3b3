"""uvicorn's fast HTTP protocol with what it lacks: an end to the request line and headers, in size and in time, and
problem documents where it would answer with plain text.

Only the composition of the server (`serving`) uses it; nothing above knows.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lodestream.rest.one_write import OneWrite
from lodestream.rest.problems import Refusal, problem

#: As much as other servers take: the longest documented query and an API key need a tenth of it.
MAX_HEAD_BYTES: Final = 64 * 1024
#: A caller who sends a byte at a time holds a connection no longer.
HEAD_TIMEOUT_S: Final = 20.0

_PHRASES: Final = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class BoundedHttp(HttpToolsProtocol):
    """One connection. The bounds cost nothing while a request's head arrives in one piece, as nearly all do."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_head = True
        self._head_bytes = 0
        self._overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A caller is there."""
        super().connection_made(cast(asyncio.Transport, OneWrite(transport, self.loop)))

    def data_received(self, data: bytes) -> None:
        """Bytes from the caller."""
        if self.transport.is_closing():
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse("HEADERS_TOO_LARGE", f"The request line and headers may have {MAX_HEAD_BYTES} bytes.")
        elif self._overdue is None:
            self._overdue = self.loop.call_later(HEAD_TIMEOUT_S, self._too_slow)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is complete."""
        self._in_head = False
        self._in_time()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller has gone."""
        self._in_time()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP."""
        self._refuse("MALFORMED", "This is no HTTP request that can be read.")

    def _in_time(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _too_slow(self) -> None:
        if self._in_head and not self.transport.is_closing():
            self._refuse(
                "TOO_SLOW", f"The request line and headers did not arrive within {HEAD_TIMEOUT_S:.0f} seconds."
            )

    def _refuse(self, reason: str, detail: str) -> None:
        answer = problem(Refusal(reason, detail))
        head = [
            b"HTTP/1.1 %d %s" % (answer.status, _PHRASES[answer.status]),
            b"content-type: " + answer.media_type,
            b"content-length: %d" % len(answer.body),
            b"connection: close",
        ]
        self.transport.write(b"\r\n".join([*head, b"", answer.body]))
        self.transport.close()
