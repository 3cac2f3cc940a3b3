"""Frames on the socketpair: four bytes of length, big-endian, then one protobuf message. Both ends use it; the
limits are shared."""

import asyncio
import socket
import struct
from typing import TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

_LENGTH = struct.Struct(">I")
#: Free-form results are bounded by this too; a larger frame is a fault of the other end.
LARGEST = 64 * 1024 * 1024


class Broken(Exception):
    """The other end closed the pipe, or did not keep to the protocol."""


def pack(message: Message) -> bytes:
    """The frame of a message. Raises ValueError beyond the limit."""
    body = message.SerializeToString()
    if len(body) > LARGEST:
        raise ValueError(f"a frame may hold {LARGEST} bytes, this one has {len(body)}")
    return _LENGTH.pack(len(body)) + body


def read(pipe: socket.socket, kind: type[M]) -> M:
    """The next message, in a thread. Raises Broken at the end."""
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    if length > LARGEST:
        raise Broken(f"a frame of {length} bytes was announced")
    return kind.FromString(_exactly(pipe, length))


async def read_async(pipe: asyncio.StreamReader, kind: type[M]) -> M:
    """The next message, on the loop. Raises Broken at the end."""
    try:
        (length,) = _LENGTH.unpack(await pipe.readexactly(_LENGTH.size))
        if length > LARGEST:
            raise Broken(f"a frame of {length} bytes was announced")
        return kind.FromString(await pipe.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError) as fault:
        raise Broken("the pipe was closed") from fault


def _exactly(pipe: socket.socket, length: int) -> bytes:
    parts, missing = [], length
    while missing:
        part = pipe.recv(min(missing, 1 << 20))
        if not part:
            raise Broken("the pipe was closed")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
