"""Settings that work and are unsafe, or that cannot work. Pure, but for the modes of the files they name."""

import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from lodestream_server.doctor.finding import Finding, good, problem, warning
from lodestream_server.grpc_door.listening import is_loopback
from lodestream_server.settings import ServerSettings

#: What others than the owner may do with a file.
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def settings(chosen: ServerSettings) -> Iterator[Finding]:
    """What there is to say of the settings."""
    found = [*_doors(chosen), *_openness(chosen), *_key_file(chosen)]
    yield from found or [good("settings", "The settings are safe.")]


def _doors(chosen: ServerSettings) -> Iterator[Finding]:
    encrypted = chosen.tls_certificate is not None and chosen.tls_key is not None
    for name, address in (("grpc", chosen.grpc), ("rest", chosen.rest)):
        if address and _reachable(address) and not encrypted:
            said = f"{address} is reachable from other machines, and API keys would travel as plain text."
            yield problem(name, said, "Give --tls-certificate FILE and --tls-key FILE, or listen on 127.0.0.1.")
    if (chosen.tls_certificate is None) != (chosen.tls_key is None):
        yield problem(
            "tls", "Half of a certificate and its key is given.", "Give both --tls-certificate and --tls-key."
        )


def _openness(chosen: ServerSettings) -> Iterator[Finding]:
    reachable = any(address and _reachable(address) for address in (chosen.grpc, chosen.rest))
    if not chosen.limits:
        yield warning("limits", "One wild program can take the whole server.", "Set LODESTREAM_LIMITS=true.")
    if "*" in chosen.names_of(chosen.rest_origins):
        said = "Any page in a browser may call the REST door."
        yield warning("rest-origins", said, "Name the origins in --rest-origins.")
    if "*" in chosen.names_of(chosen.rest_hosts):
        said = "The REST door answers for any host name, so pages of others can reach it by renaming it."
        yield warning("rest-hosts", said, "Name the hosts in --rest-hosts.")
    if reachable and chosen.reflection == "open":
        said = "Everybody who reaches the server may read its schema (nothing else)."
        yield warning("reflection", said, "Set LODESTREAM_REFLECTION=key if that is too much.")
    if chosen.notebooks:
        said = "Whoever may write to a project may run any code here, with the rights of the server's user."
        yield warning("notebooks", said, "Leave --notebooks out, or let only people you trust write.")
    if chosen.traces and chosen.traces.startswith("http:") and _reachable(urlsplit(chosen.traces).netloc):
        said = "Traces leave this machine as plain text: ids, no content and no keys."
        yield warning("traces", said, "Use https:// or a collector on 127.0.0.1.")


def _key_file(chosen: ServerSettings) -> Iterator[Finding]:
    for option, path in (("--tls-key", chosen.tls_key), ("--jwt-key", chosen.jwt_key)):
        if path is not None:
            yield from private(option, path)


def private(name: str, path: Path) -> Iterator[Finding]:
    """A problem when others may read or write the file, or when it is not there."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as fault:
        yield problem(name, f"{path}: {fault.strerror}.", "Name a file that this user can read.")
        return
    if mode & OTHERS:
        yield problem(name, f"Others than its owner may use {path} (mode {mode:o}).", f"chmod go= {path}")


def _reachable(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]") if ":" in address else address
    return not address.startswith("unix:") and not is_loopback(host)
