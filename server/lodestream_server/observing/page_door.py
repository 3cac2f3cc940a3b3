"""A door for one page, on loopback only: GET /metrics. No framework: the server runs without the extra `rest` too."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from lodestream_server.grpc_door.listening import CannotListen

log = logging.getLogger(__name__)

_PATH: Final = "/metrics"
_LOOPBACK: Final = "127.0.0.1"
#: For a request to arrive and an answer to leave.
_PATIENCE_S: Final = 5.0
_LARGEST_HEAD: Final = 16 * 1024

Page = Callable[[], Awaitable[bytes]]


@asynccontextmanager
async def page_door(port: int, page: Page, content_type: str) -> AsyncIterator[str]:
    """The page's address, for as long as the context lasts; port 0 takes a free one. Raises CannotListen."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await _answer(head.partition(b"\r\n")[0].decode("latin-1"), page, content_type))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, _LOOPBACK, port, limit=_LARGEST_HEAD)
    except OSError:
        raise CannotListen(f"{_LOOPBACK}:{port} is in use; name another port with --metrics-port.") from None
    async with server:
        yield f"http://{_LOOPBACK}:{server.sockets[0].getsockname()[1]}{_PATH}"


async def _answer(line: str, page: Page, content_type: str) -> bytes:
    method, _, rest = line.partition(" ")
    if rest.split(" ")[0].partition("?")[0] != _PATH:
        return _response("404 Not Found", f"There is one page here: {_PATH}\n".encode())
    if method not in ("GET", "HEAD"):
        return _response("405 Method Not Allowed", b"The page is there to be read.\n")
    try:
        body = await page()
    except Exception:
        log.exception("the page of figures could not be made")
        return _response("503 Service Unavailable", b"There are no figures at the moment.\n")
    return _response("200 OK", body, content_type, head_only=method == "HEAD")


def _response(
    state: str, body: bytes, content_type: str = "text/plain; charset=utf-8", head_only: bool = False
) -> bytes:
    head = (
        f"HTTP/1.1 {state}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (b"" if head_only else body)
