"""One HTTP request, bounded in every direction: where it goes, how long it takes, how much of the answer is read.

httpcore and nothing above it: it follows no redirect, reads no proxy from the environment, keeps no cookies and
unpacks nothing.
"""

import asyncio
import logging
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, urlsplit

import httpcore

from lodestream_server.delivery.dialling import AddressRefused, Allowed, GuardedBackend, NameUnknown, system_resolve
from lodestream_server.delivery.settings import DeliverySettings

log = logging.getLogger(__name__)

#: Of an answer that are read; the rest is left and the connection closed.
LARGEST_ANSWER: Final = 64 * 1024
_AGENT: Final = "lodestream"
#: A name, an IPv4 address in any spelling, or an IPv6 address without its brackets.
_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}|[0-9A-Fa-f:.]+(%[A-Za-z0-9._~-]+)?")
_FAULTS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (AddressRefused, "the address is private, loopback or link-local; this server's configuration does not allow it"),
    (NameUnknown, "the name cannot be resolved"),
    (httpcore.ConnectTimeout, "no connection in time"),
    (httpcore.ConnectError, "no connection"),
    (httpcore.TimeoutException, "no answer in time"),
    (TimeoutError, "no answer in time"),
    (httpcore.UnsupportedProtocol, "the address is not http or https"),
    (httpcore.RemoteProtocolError, "the connection was closed or the answer was not HTTP"),
    (httpcore.NetworkError, "the connection broke"),
    (ssl.SSLError, "no secure connection"),
    (httpcore.LocalProtocolError, "the request cannot be written as HTTP"),
    (ValueError, "the address cannot be used"),
    (OSError, "no connection"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. No status: nothing came, and `error` says why, in words that name no internal address."""

    took_s: float
    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None
    body: bytes = b""

    @property
    def well(self) -> bool:
        """Whether the receiver took it: any 2xx. A redirect is no success and is not followed."""
        return self.status is not None and 200 <= self.status < 300


class Poster:
    """Keeps connections between requests; an async context manager."""

    def __init__(self, settings: DeliverySettings, backend: httpcore.AsyncNetworkBackend | None = None) -> None:
        self._settings = settings
        guarded = GuardedBackend(Allowed(settings.allow_networks), system_resolve)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_trust(settings),
            # Attempts under way are bounded before they come here.
            max_connections=None,
            max_keepalive_connections=settings.at_once,
            keepalive_expiry=30.0,
            network_backend=backend or guarded,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Sends the body and waits for the answer; never raises for what the other side does."""
        began = monotonic()
        try:
            async with asyncio.timeout(self._settings.attempt_s):
                status, retry_after, kept = await self._exchange(url, headers, body)
        except Exception as fault:
            return Answer(monotonic() - began, error=_said(fault))
        return Answer(monotonic() - began, status, retry_after_s=retry_after, body=kept)

    async def _exchange(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, float | None, bytes]:
        timeout = {
            "connect": self._settings.connect_s,
            "read": self._settings.attempt_s,
            "write": self._settings.attempt_s,
        }
        sent = {"user-agent": _AGENT, "content-type": "application/json", **headers}
        async with self._pool.stream(
            "POST",
            _ascii(url),
            headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in sent.items()],
            content=body,
            extensions={"timeout": timeout},
        ) as response:
            return response.status, _retry_after(response), await _read(response)


async def _read(response: httpcore.Response) -> bytes:
    kept = bytearray()
    async for chunk in response.aiter_stream():
        kept += chunk
        if len(kept) >= LARGEST_ANSWER:
            break
    return bytes(kept[:LARGEST_ANSWER])


def _retry_after(response: httpcore.Response) -> float | None:
    """Seconds that the receiver asks for; dates are left to the policy."""
    value = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"")
    return float(value) if value.isdigit() and len(value) < 10 else None


def _ascii(url: str) -> httpcore.URL:
    """The address as HTTP writes it: an international name in its ASCII form. Raises ValueError."""
    return httpcore.URL(to_ascii(url))


def to_ascii(url: str) -> str:
    """The address with its host in ASCII and everything else percent-encoded. Raises ValueError."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise ValueError("no host, or a user name in the address")
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    if not _HOST.fullmatch(host):
        raise ValueError("no host can be called that")
    shown = f"[{host}]" if ":" in host else host
    where = f"{shown}:{parts.port}" if parts.port else shown
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=-._~?')}" if parts.query else ""
    return f"{parts.scheme}://{where}{path}{query}"


def _said(fault: Exception) -> str:
    for kind, words in _FAULTS:
        if isinstance(fault, kind):
            return words
    log.error("an attempt failed unexpectedly", exc_info=fault)
    return "an unexpected fault of this server"


def _trust(settings: DeliverySettings) -> ssl.SSLContext:
    context = httpcore.default_ssl_context()
    if settings.ca_file is not None:
        context.load_verify_locations(cafile=settings.ca_file)
    return context
