"""Download links: results name files by addresses that anybody who has them can open for a while.

A link is the address of a download with `expires` (seconds since the epoch) and `signature` (HMAC-SHA256 over both).
Servicers fill the `download_url` fields with plain paths; the facade, which knows its own address, makes links of them.
Without a key they are plain addresses, and need the caller's credential as everything else does.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from lodestream.rest.asked import Asked, base_url
from lodestream.rest.problems import Refusal
from lodestream.wire.fields import is_map

_FIELDS = ("download_url", "download_urls")


class Links:
    """Makes and checks links; `clock` gives seconds since the epoch."""

    def __init__(
        self, key: bytes | None, ttl_s: float, public_url: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self._key = key
        self._ttl_s = ttl_s
        self._public_url = public_url.rstrip("/")
        self._clock = clock

    def sign(self, answer: Message, asked: Asked) -> None:
        """Turns every path in the answer's `download_url` fields into a link."""
        if holds_links(answer.DESCRIPTOR):
            base = self._public_url or base_url(asked.scope)
            for message, name in _link_fields(answer):
                self._replace(message, name, base)

    def link(self, path: str, base: str = "") -> str:
        """The link to a path."""
        if self._key is None:
            return f"{base}{path}"
        expires = str(int(self._clock() + self._ttl_s))
        return f"{base}{path}?expires={expires}&signature={self._signature(path, expires)}"

    def check(self, path: str, expires: str, signature: str) -> None:
        """Raises Refusal when this is no link of ours, or no longer."""
        good = self._key is not None and hmac.compare_digest(
            self._signature(path, expires).encode(), signature.encode("utf-8", "replace")
        )
        if not good or float(expires) < self._clock():
            raise Refusal("LINK_NOT_VALID", "The link has expired or was changed; ask for the results again.")

    def _signature(self, path: str, expires: str) -> str:
        digest = hmac.digest(self._key or b"", f"{path}\n{expires}".encode("utf-8", "replace"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _replace(self, message: Any, name: str, base: str) -> None:
        value = getattr(message, name)
        if isinstance(value, str):
            setattr(message, name, self._linked(value, base))
        else:
            value[:] = [self._linked(one, base) for one in value]

    def _linked(self, value: str, base: str) -> str:
        return self.link(value, base) if value.startswith("/api/") else value


@lru_cache(None)
def holds_links(descriptor: Descriptor) -> bool:
    """Whether a message type, or one inside it, has a field for a link."""
    return _holds_links(descriptor, set())


def _holds_links(descriptor: Descriptor, seen: set[Descriptor]) -> bool:
    if descriptor in seen:
        return False
    seen.add(descriptor)
    return any(
        field.name in _FIELDS or (field.message_type is not None and _holds_links(field.message_type, seen))
        for field in descriptor.fields
    )


def _link_fields(message: Any) -> Iterator[tuple[Any, str]]:
    """Every message and the name of its field that holds links, in the answer."""
    for field, value in message.ListFields():
        if field.name in _FIELDS:
            yield message, field.name
        elif field.message_type and not is_map(field) and holds_links(field.message_type):
            for one in value if field.is_repeated else (value,):
                yield from _link_fields(one)
