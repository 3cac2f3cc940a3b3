"""What goes back to the caller: an answer with its headers as bytes, sent in two ASGI messages.

Built by the handlers and by `problems`; lighter than a framework's response class, which is a good part of a request's
cost here.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.types import Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]

#: No sniffing of media types anywhere; a file or a text that a run made is never taken for something else.
NOSNIFF = (b"x-content-type-options", b"nosniff")


class Sendable(Protocol):
    """Something that a handler returns: it sends itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the answer."""


#: Says that the connection ends with this answer: the rest of the body was not read.
CLOSE = (b"connection", b"close")
# What is thrown away of a refused body, so that callers who read only when they have sent everything get to the answer:
# closing a socket with unread bytes in it would reset the connection under it.
_DISCARDED_BYTES = 128 * 1024 * 1024
_DISCARDED_S = 5.0


@dataclass(slots=True)
class Answer:
    """A whole answer in memory."""

    status: int
    body: bytes
    media_type: bytes = b"application/json"
    headers: Headers = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it; the server leaves the body of a HEAD out."""
        await send(begun(self.status, self.media_type, [*self.headers, length(len(self.body))]))
        if CLOSE in self.headers:
            await send({"type": "http.response.body", "body": self.body, "more_body": True})
            await _discard(receive)
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": self.body})


async def _discard(receive: Receive) -> None:
    left = _DISCARDED_BYTES
    try:
        async with asyncio.timeout(_DISCARDED_S):
            while left > 0 and (message := await receive())["type"] == "http.request" and message.get("more_body"):
                left -= len(message.get("body", b""))
    except TimeoutError:
        pass


def begun(status: int, media_type: bytes, headers: Iterable[tuple[bytes, bytes]]) -> dict[str, Any]:
    """The first ASGI message of an answer."""
    head = [NOSNIFF, *headers] if status == 304 else [(b"content-type", media_type), NOSNIFF, *headers]
    return {"type": "http.response.start", "status": status, "headers": head}


def length(size: int) -> tuple[bytes, bytes]:
    """The Content-Length header."""
    return b"content-length", b"%d" % size


def revalidated(answer: Answer, if_none_match: bytes | None) -> Answer:
    """The answer with an ETag; an empty 304 when the caller has it already."""
    tag = b'W/"%s"' % hashlib.blake2b(answer.body, digest_size=9).hexdigest().encode()
    answer.headers += [(b"etag", tag), (b"cache-control", b"private, no-cache")]
    if if_none_match is not None and matches(tag, if_none_match):
        return Answer(304, b"", answer.media_type, answer.headers)
    return answer


def matches(tag: bytes, wanted: bytes) -> bool:
    """Whether an ETag is among those of an If-None-Match header (weak comparison, RFC 9110 section 8.8.3.2)."""
    known = [one.strip().removeprefix(b"W/") for one in wanted.split(b",")]
    return b"*" in known or tag.removeprefix(b"W/") in known
