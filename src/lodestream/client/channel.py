"""The connection: TLS or not, keepalive, sizes, and a channel that signs every call with the API key.

Called by the clients. Plain text is for loopback and unix sockets; every other address gets TLS unless `http://` asks
for plain text by name, because the API key travels in each call.
"""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

import grpc
from grpc.aio import Channel, Metadata

import lodestream
from lodestream.client.problems import BadSetting
from lodestream.client.settings import DEFAULT_TARGET, Settings

#: The largest message either side takes: a snapshot with all free-form results of a run fits many times over.
MAX_MESSAGE_BYTES: Final = 64 << 20

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Notices a dead network within 40 s, also on a stream that only listens.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A server that restarts is found again quickly; the library's own 1 s and 120 s would make watchers wait.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Retries are ours: they know which calls may be sent twice.
    ("grpc.enable_retries", 0),
    ("grpc.primary_user_agent", f"lodestream-python/{lodestream.__version__}"),
)

Method: TypeAlias = Callable[..., Any]


def open_channel(settings: Settings) -> Channel:
    """A channel to the target; it connects with the first call. Raises BadSetting for an address or certificate file
    that cannot be used."""
    address, secure = resolve(settings)
    if not secure:
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(_roots(settings)), options=_OPTIONS)


def resolve(settings: Settings) -> tuple[str, bool]:
    """What to dial, and whether with TLS: "host:port", "https://host[:port]", "http://host:port", "unix:path"."""
    target = settings.target.strip().rstrip("/")
    if target.startswith("unix:"):
        return target, False
    scheme, _, address = target.rpartition("://")
    if scheme not in ("", "http", "https", "grpc", "grpcs") or not address or "/" in address or "@" in address:
        raise BadSetting(f"The target {settings.target!r} is no address; write it like {DEFAULT_TARGET}.")
    host, port = _host_and_port(address, settings)
    named = {"http": False, "grpc": False, "https": True, "grpcs": True}.get(scheme)
    secure = settings.root_certs is not None or (not _is_loopback(host) if named is None else named)
    if port is None:
        port = "443" if scheme in ("https", "grpcs") else DEFAULT_TARGET.rpartition(":")[2]
    return f"{host}:{port}", secure


def _host_and_port(address: str, settings: Settings) -> tuple[str, str | None]:
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        return address, None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536) or (":" in host and not host.startswith("[")):
        raise BadSetting(f"The target {settings.target!r} has no port from 1 to 65535; write it like {DEFAULT_TARGET}.")
    return host, port


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _roots(settings: Settings) -> bytes | None:
    if settings.root_certs is None:
        return None
    try:
        return settings.root_certs.expanduser().read_bytes()
    except OSError as error:
        raise BadSetting(f"The certificates in {settings.root_certs} cannot be read: {error.strerror}.") from None


class SignedChannel:
    """A channel that adds the API key to every call and a deadline to every unary one. Works over any channel.

    Has what generated stubs ask of a channel. Not a client interceptor: those cost streams a task each, and a channel
    within the process knows none.
    """

    def __init__(self, channel: Channel, token: str | None, deadline_s: float) -> None:
        self._channel = channel
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        self._deadline_s = deadline_s

    def unary_unary(self, method: str, *args: Any, **options: Any) -> Method:
        """The method with key and deadline."""
        return self._signed(self._channel.unary_unary(method, *args, **options), self._deadline_s)

    def unary_stream(self, method: str, *args: Any, **options: Any) -> Method:
        """The method with the key; streams last as long as they last."""
        return self._signed(self._channel.unary_stream(method, *args, **options), None)

    def stream_unary(self, method: str, *args: Any, **options: Any) -> Method:
        """The method with the key."""
        return self._signed(self._channel.stream_unary(method, *args, **options), None)

    def stream_stream(self, method: str, *args: Any, **options: Any) -> Method:
        """The method with the key."""
        return self._signed(self._channel.stream_stream(method, *args, **options), None)

    def _signed(self, call: Method, deadline_s: float | None) -> Method:
        own = self._metadata

        def signed(
            request: Any = None,
            *,
            timeout: float | None = None,
            metadata: Iterable[tuple[str, str | bytes]] | None = None,
            **options: Any,
        ) -> Any:
            signature = Metadata(*own, *(metadata or ()))
            return call(request, timeout=deadline_s if timeout is None else timeout, metadata=signature, **options)

        return signed
