"""The facade behind a socket: uvicorn on the loop that is running, without uvicorn's hands on the signals.

Whoever composes a process owns the signals and the order of stopping: this first (streams end, requests are answered),
then the channel, then the gRPC server.
"""

import asyncio
import contextlib
import gc
import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from lodestream.errors import LodestreamError
from lodestream.rest.app import Facade

#: Connections that wait to be taken up; more than the kernel's default, for bursts of pollers.
_BACKLOG = 2048
#: Subscribers have nothing to say.
_SOCKET_MESSAGE_BYTES = 4096


class CannotListen(LodestreamError):
    """The address cannot be served."""

    reason = "CANNOT_LISTEN"


class RestServer:
    """A facade on an address.

    `address` is HOST:PORT, port 0 takes a free one. Only loopback addresses are served in plain text: `certificate` and
    `key` are PEM files.
    """

    def __init__(
        self, facade: Facade, address: str, *, certificate: Path | None = None, key: Path | None = None
    ) -> None:
        self._facade = facade
        self._host, self._port = split_address(address)
        self._tls = certificate is not None
        if not self._tls and not _is_loopback(self._host):
            raise CannotListen(
                f"{address}: keys and data would travel in plain text; give a certificate and its key, or serve a"
                " loopback address behind a proxy"
            )
        config = uvicorn.Config(
            facade,
            backlog=_BACKLOG,
            lifespan="off",
            http=_http_protocol(),
            ws="websockets-sansio",
            ws_max_size=_SOCKET_MESSAGE_BYTES,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listens; returns the address as "http://host:port" with the port in use. Raises CannotListen."""
        listening = _listen(self._host, self._port)
        self._serving = asyncio.create_task(self._server.serve([listening]))
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({self._serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._serving.done():
            await self._serving
            raise CannotListen(f"{self._host}:{self._port}: cannot be served")
        port = listening.getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{port}"

    async def stop(self, grace_s: float = 5.0) -> None:
        """Ends the streams, answers what has begun for at most `grace_s` seconds, and closes the socket."""
        self._server.config.timeout_graceful_shutdown = max(1, round(grace_s))
        self._server.should_exit = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._facade.close(), grace_s)
        if self._serving is not None:
            await self._serving


def _http_protocol() -> Any:
    """Ours on httptools; without that package uvicorn's own on h11, which is slower and bounds heads by itself."""
    try:
        from lodestream.rest.http_protocol import BoundedHttp
    except ImportError:
        return "h11"
    return BoundedHttp


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def settle() -> None:
    """Takes everything that lives as long as the process (the document, the descriptors, the code) out of the garbage
    collector's rounds, and lets these come less often: a twelfth of a request's cost. Call it once, when all is up.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def split_address(address: str) -> tuple[str, int]:
    """Host and port of HOST:PORT, brackets of IPv6 removed. Raises CannotListen."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise CannotListen(f"{address}: must be HOST:PORT, such as 127.0.0.1:8080; port 0 takes a free one")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListen(f"{host}:{port}: {error.strerror or error}") from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(where)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise CannotListen(f"{host}:{port}: {error.strerror or error}") from None
    return made


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
