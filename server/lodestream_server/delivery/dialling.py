"""Connections that only go where they may: the name is resolved once, every address behind it is checked, and the one
that was checked is dialled.

TLS still asks for the name, because httpcore takes that from the request and not from here. However an address is
spelled (0x7f.1, 2130706433, ::ffff:127.0.0.1), what counts is the address that the resolver makes of it.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

import httpcore

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

#: Carries an IPv4 address in its last 32 bits, translated on the way (RFC 6052).
_NAT64: Final = IPv6Network("64:ff9b::/96")
#: Not public, though `is_global` says so: local translation (RFC 8215) and the site-local addresses of old.
_LOCAL: Final = (IPv6Network("64:ff9b:1::/48"), IPv6Network("fec0::/10"))
#: Addresses of one name that are tried.
_TRIES: Final = 4


class AddressRefused(Exception):
    """The address is private, loopback, link-local or otherwise not public, and not allowed by the configuration."""


class NameUnknown(Exception):
    """The name cannot be resolved."""


class Allowed:
    """Which addresses may be dialled: public ones, and the networks that the configuration names."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ip_network(text) for text in networks]

    def __call__(self, text: str) -> bool:
        """Whether the address may be dialled; an address inside another (mapped, 6to4, Teredo, NAT64) counts too."""
        address = ip_address(text)
        return all(self._one(found) for found in (address, *_inside(address)))

    def _one(self, address: Address) -> bool:
        named = any(address in network for network in self._networks if network.version == address.version)
        if named or _mapped(address):
            return True
        local = isinstance(address, IPv6Address) and any(address in network for network in _LOCAL)
        return address.is_global and not (address.is_multicast or address.is_reserved or local)


def _mapped(address: Address) -> bool:
    """A mapped address is its inner one, in other words; that one decides."""
    return isinstance(address, IPv6Address) and address.ipv4_mapped is not None


def _inside(address: Address) -> tuple[IPv4Address, ...]:
    if isinstance(address, IPv4Address):
        return ()
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return tuple(inner for inner in found if inner is not None)


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Every address of the name, in the system's order of preference. Raises NameUnknown."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NameUnknown(host) from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens httpcore's connections. Raises AddressRefused before anything is sent; NameUnknown."""

    def __init__(
        self, allowed: Allowed, resolve: Resolve = system_resolve, inner: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._inner = inner or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first of the host's addresses that answers; none when any of them is refused."""
        addresses = await self._resolve(host.strip("[]"), port)
        # All of them: a name that points inside and outside at once is a trick.
        if not addresses or not all(self._allowed(address) for address in addresses):
            raise AddressRefused(host)
        fault: Exception = NameUnknown(host)
        for address in addresses[:_TRIES]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                fault = failed
        raise fault

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never: endpoints are reached over the network."""
        raise AddressRefused(path)

    async def sleep(self, seconds: float) -> None:
        """See httpcore."""
        await self._inner.sleep(seconds)
