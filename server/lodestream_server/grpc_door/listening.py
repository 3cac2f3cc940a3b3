"""The gRPC server itself: options, TLS, address. Plain text stays on this machine."""

import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
from grpc.aio import Server, ServerInterceptor

from lodestream.errors import LodestreamError
from lodestream_server.settings import ServerSettings


class CannotListen(LodestreamError):
    """The server cannot listen where it was told to."""

    reason = "CANNOT_LISTEN"


def make_server(settings: ServerSettings, interceptors: Sequence[ServerInterceptor]) -> Server:
    """A server that does not listen yet."""
    return grpc.aio.server(interceptors=list(interceptors), options=options(settings))


def options(settings: ServerSettings) -> list[tuple[str, Any]]:
    """Channel arguments."""
    return [
        ("grpc.max_receive_message_length", settings.largest_message_bytes),
        ("grpc.max_send_message_length", settings.largest_message_bytes),
        ("grpc.max_concurrent_streams", settings.streams_per_connection),
        ("grpc.server.max_pending_requests", settings.pending_calls),
        ("grpc.server.max_pending_requests_hard_limit", settings.pending_calls),
        # Two servers on one port would share its calls without a word.
        ("grpc.so_reuseport", 0),
        ("grpc.keepalive_time_ms", int(settings.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(settings.keepalive_timeout_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # The default answers callers that ping more often than every five minutes with GOAWAY too_many_pings.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 0),
    ]


def listen(server: Server, settings: ServerSettings) -> str:
    """Binds the address; what callers dial, with the port that was taken. Raises CannotListen."""
    address = settings.grpc
    try:
        if settings.tls_certificate:
            port = server.add_secure_port(address, _credentials(settings))
        else:
            port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if address.startswith("unix:"):
        return address
    if port == 0:
        raise CannotListen(f"{address} is in use or not an address of this machine; name another with --grpc.")
    return f"{address.rpartition(':')[0]}:{port}"


def check_address(settings: ServerSettings) -> None:
    """Refuses what cannot work before anything is opened. Raises CannotListen."""
    if settings.tls_certificate or settings.tls_key:
        _credentials(settings)
    else:
        _plain_text_allowed(settings.grpc)


def _plain_text_allowed(address: str) -> None:
    host = address.rpartition(":")[0].strip("[]")
    if address.startswith("unix:") or is_loopback(host):
        return
    raise CannotListen(
        f"{address} is reachable from other machines, and API keys would travel as plain text. "
        "Give --tls-certificate FILE and --tls-key FILE, or listen on 127.0.0.1."
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that name or address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _credentials(settings: ServerSettings) -> grpc.ServerCredentials:
    if settings.tls_certificate is None or settings.tls_key is None:
        raise CannotListen("TLS takes both --tls-certificate FILE and --tls-key FILE.")
    pair = _read(settings.tls_key, "--tls-key"), _read(settings.tls_certificate, "--tls-certificate")
    try:
        # grpc takes anything here and fails at the first handshake, in every caller's face.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_certificate, settings.tls_key)
    except ssl.SSLError:
        raise CannotListen("--tls-certificate and --tls-key are no PEM certificate with its key.") from None
    authorities = _read(settings.tls_client_ca, "--tls-client-ca") if settings.tls_client_ca else None
    return grpc.ssl_server_credentials([pair], authorities, require_client_auth=authorities is not None)


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise CannotListen(f"{option} {path}: {fault.strerror}.") from None
