"""Resume tokens: which store, which request, after which event. Opaque to callers, and guarded by a checksum so that a
mangled one is told from an old one.

The same token works over gRPC, in SSE and over WebSocket: it names the request without its transport.
"""

import base64
import hashlib
import struct
from dataclasses import dataclass
from typing import Final, Literal, cast

from google.protobuf.message import Message

_LAYOUT: Final = struct.Struct(">B8s8sQ")
_CHECK: Final = 4
_VERSION: Final = 1
_GUIDS: Final = frozenset({"tenant_id", "project_id"})

Fault = Literal["MALFORMED", "OTHER_STORE", "OTHER_REQUEST", "BEYOND_LOG", "EXPIRED"]
FAULTS: Final[dict[Fault, str]] = {
    "MALFORMED": "The resume token was cut or changed on its way.",
    "OTHER_STORE": "The resume token comes from another server's store.",
    "OTHER_REQUEST": "The resume token belongs to another request: another run, project, filter or method.",
    "BEYOND_LOG": "The resume token lies beyond the newest event.",
    "EXPIRED": "Some of the events that follow were too old to keep; here is how it stands.",
}


@dataclass(frozen=True, slots=True)
class Stream:
    """What a token belongs to: digests of the store's identity and of method, scope and filter."""

    store: bytes
    mark: bytes

    @classmethod
    def of(cls, store_id: str, method: str, request: Message) -> "Stream":
        """The stream of a request; `request` is the Get request inside, defaults applied."""
        said = method.encode() + b"\0" + _in_one_spelling(request).SerializeToString(deterministic=True)
        return cls(_digest(store_id.encode()), _digest(said))

    def token(self, cursor: int) -> str:
        """Continues after the event of that number."""
        body = _LAYOUT.pack(_VERSION, self.store, self.mark, cursor)
        return base64.urlsafe_b64encode(body + _checksum(body)).decode().rstrip("=")

    def read(self, token: str) -> int | Fault:
        """The number of the last event seen, or why the token cannot be honoured."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return "MALFORMED"
        body = raw[:-_CHECK]
        if len(body) != _LAYOUT.size or raw[-_CHECK:] != _checksum(body):
            return "MALFORMED"
        version, store, mark, cursor = _LAYOUT.unpack(body)
        if version != _VERSION:
            return "MALFORMED"
        if store != self.store:
            return "OTHER_STORE"
        return "OTHER_REQUEST" if mark != self.mark else cast(int, cursor)


def _in_one_spelling(request: Message) -> Message:
    """The request with its GUIDs in lower case: however they were written, they name the same project."""
    same = type(request)()
    same.CopyFrom(request)
    for name in _GUIDS.intersection(same.DESCRIPTOR.fields_by_name):
        if same.HasField(name):
            setattr(same, name, getattr(same, name).lower())
    return same


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=8).digest()


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECK, person=b"lodestream").digest()
