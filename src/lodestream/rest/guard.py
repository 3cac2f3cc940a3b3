"""The ASGI guard: refuses what must not reach a parser, before anything else sees the request.

Foreign hosts; bodies above the limit, by their announced length or as soon as they pass it, never read whole; JSON that
is too deep, not UTF-8, with duplicate keys or monstrous numbers. Bodies that are not JSON pass unread: only uploads
take them, and those stream. A JSON body is parsed here, once, and travels on in the scope.
"""

import asyncio
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from lodestream.rest.answers import CLOSE
from lodestream.rest.json_body import parse
from lodestream.rest.problems import Refusal

#: Where the parsed body travels in the scope; absent when there is none.
DOCUMENT: Final = "lodestream.document"
#: As much as a gRPC server takes by default.
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
#: The largest body arrives within this even over a slow line; a caller who stops half-way holds nothing longer.
BODY_TIMEOUT_S: Final = 30.0

_JSON_TYPE = re.compile(rb"application/(?:[a-z0-9.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_PORT = re.compile(r":[0-9]*$")


class Guard:
    """Stands in front of the whole application.

    `hosts` are the names that this service answers for besides localhost and bare addresses (a name in the Host header
    that is none of them comes from a rebound DNS entry); "*" takes any.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = (), max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what may pass."""
        if scope["type"] in ("http", "websocket"):
            headers: dict[bytes, bytes] = scope.setdefault("lodestream.headers", dict(scope["headers"]))
            self._check_host(headers.get(b"host", b""))
            if scope["type"] == "http" and _has_body(headers) and takes_json(headers):
                body = await self._read(headers, receive)
                if body.strip():
                    scope[DOCUMENT] = parse(body)
        await self._app(scope, receive, send)

    def _check_host(self, host: bytes) -> None:
        name = _PORT.sub("", host.decode("latin-1").lower())
        if "*" not in self._hosts and name not in self._hosts and not _is_local_or_address(name):
            raise Refusal("FOREIGN_HOST", "The Host header names none of this service's hosts; check the address.")

    async def _read(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced[:20]) > self._max_body_bytes:
            raise self._too_large(more=True)
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                while True:
                    message: Any = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal("TOO_SLOW", "The caller went away before the body was complete.")
                    size += len(message.get("body", b""))
                    if size > self._max_body_bytes:
                        raise self._too_large(more=message.get("more_body", False))
                    chunks.append(message.get("body", b""))
                    if not message.get("more_body", False):
                        return b"".join(chunks)
        except TimeoutError:
            raise Refusal("TOO_SLOW", f"The body was not complete after {BODY_TIMEOUT_S:.0f} seconds.") from None

    def _too_large(self, *, more: bool) -> Refusal:
        """The refusal; with more to come the connection cannot be used again."""
        detail = f"The body may have at most {self._max_body_bytes} bytes."
        return Refusal("BODY_TOO_LARGE", detail, headers=[CLOSE] if more else [])


def takes_json(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the body is announced as JSON; without a media type it is taken for JSON."""
    media_type = headers.get(b"content-type", b"")
    return not media_type or _JSON_TYPE.fullmatch(media_type.strip()) is not None


def _has_body(headers: Mapping[bytes, bytes]) -> bool:
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


@lru_cache(maxsize=256)  # callers say the same few names with every request
def _is_local_or_address(name: str) -> bool:
    """True for localhost and for bare addresses, to which no DNS entry can be rebound."""
    if name in ("", "localhost"):
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
