"""Signs and posts one delivery: Standard Webhooks headers, no redirects, loopback addresses only unless allowed.

What dials is imported when the first delivery is due: most mocks never post, and all of them start.
"""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_TIMEOUT_S = 5.0
#: Older than the five minutes that receivers accept.
LATE_BY_S = 600


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back: an HTTP status, or why there was none. `final` when trying again cannot help."""

    status: int | None = None
    error: str = ""
    final: bool = False

    @property
    def success(self) -> bool:
        """A 2xx."""
        return self.status is not None and 200 <= self.status < 300


def signed(
    delivery_id: str, body: bytes, secret: str, token: str, *, bad: bool = False, late: bool = False
) -> dict[str, str]:
    """The headers of a delivery.

    Receivers compare the timestamp with their own clock, so it is the real one: nothing that the mock answers holds it.
    """
    timestamp = str(int(time.time()) - (LATE_BY_S if late else 0))
    headers = {"webhook-id": delivery_id, "webhook-timestamp": timestamp, "content-type": "application/json"}
    if secret:
        key = f"{secret}, but another one" if bad else secret
        message = f"{delivery_id}.{timestamp}.".encode() + body
        digest = hmac.digest(key.encode(), message, hashlib.sha256)
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    if token:
        headers["authorization"] = f"Bearer {token}{'x' if bad else ''}"
    return headers


class Post:
    """Posts to loopback addresses and to the hosts in `allowed`."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = frozenset(allowed)

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Never raises."""
        try:
            return await asyncio.to_thread(self._send, url, dict(headers), body)
        except Exception as error:
            return Outcome(error=f"no answer: {type(error).__name__}")

    def _send(self, url: str, headers: dict[str, str], body: bytes) -> Outcome:
        import http.client
        import ssl

        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if host not in self._allowed and not _loopback(host):
            advice = f"only loopback addresses are called; --allow-host {host} allows this one"
            return Outcome(error=f"not sent: {advice}", final=True)
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection = (
            http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=ssl.create_default_context())
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        )
        try:
            connection.request("POST", target, body, headers)
            return Outcome(status=connection.getresponse().status)
        finally:
            connection.close()


def _loopback(host: str) -> bool:
    """True when every address of a host is a loopback one; names other than localhost are not even resolved."""
    import ipaddress
    import socket

    if host == "localhost":
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
        return all(ipaddress.ip_address(address[4][0]).is_loopback for address in found)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
