"""Metadata as it may cross: what the network would refuse is refused here too. Used by both ends of a call."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from grpc import aio

# HTTP/2 header names as gRPC allows them; uppercase is illegal there.
_KEY: Final = re.compile(r"[a-z0-9_.-]+")


class BadMetadata(aio.InternalError):
    """A key or value that gRPC cannot send."""


class Metadatum(NamedTuple):
    """One entry as the other side gets it; interceptors read `.key` and `.value`."""

    key: str
    value: str | bytes


Pairs: TypeAlias = tuple[Metadatum, ...]


def sendable(pairs: Any) -> Pairs:
    """These pairs in their order, as the other side will get them; None is none.

    Values of `-bin` keys are bytes, all others printable ASCII.
    Raises BadMetadata for keys and values that gRPC does not carry, TypeError for values of another type.
    """
    return tuple(_sendable(key, value) for key, value in pairs) if pairs else ()


@lru_cache(1024)  # callers use the same few keys with every call
def _is_text_key(key: str) -> bool:
    return _KEY.fullmatch(key) is not None and not key.endswith("-bin")


def _sendable(key: Any, value: Any) -> Metadatum:
    if type(key) is type(value) is str and _is_text_key(key) and value.isascii() and value.isprintable():
        return Metadatum(key, value)  # nearly all
    if not isinstance(key, str) or not isinstance(value, str | bytes):
        raise TypeError(f"metadata {key!r}: expected a str key with a str or bytes value, got {type(value).__name__}")
    if not _KEY.fullmatch(key):
        raise BadMetadata(f"metadata {key!r}: a key consists of lowercase letters, digits and _ . -")
    if key.endswith("-bin"):
        if isinstance(value, str):
            raise TypeError(f"metadata {key!r}: a key that ends with -bin carries bytes, got str")
        return Metadatum(key, value)
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not (text.isascii() and text.isprintable()):
        raise BadMetadata(f"metadata {key!r}: the value must be printable ASCII; send others under {key}-bin as bytes")
    return Metadatum(key, text)


def as_trailing(pairs: Any) -> tuple[tuple[str, str | bytes], ...]:
    """What a servicer sets to be sent with the status; whether it can be sent shows then.

    Raises TypeError unless it is a sequence of (str, str | bytes) tuples.
    """
    if not isinstance(pairs, Iterable) or isinstance(pairs, str):
        raise TypeError(f"trailing metadata must be a sequence of (key, value) tuples, got {type(pairs).__name__}")
    found = tuple(pairs)
    for pair in found:
        match pair:
            case (str(), str() | bytes()) if isinstance(pair, tuple):
                continue
        raise TypeError(f"trailing metadata must be a sequence of (str, str | bytes) tuples, got {pair!r}")
    return found
