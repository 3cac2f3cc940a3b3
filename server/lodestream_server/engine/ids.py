"""Ids as an argument: UUIDv7, so that they sort by time, with the documented prefixes."""

import secrets
import uuid
from datetime import datetime
from typing import Protocol

from lodestream_server.runs.states import RunKind

_PREFIX = {RunKind.JOB: "", RunKind.OPERATION: "op-"}


class Ids(Protocol):
    """Where new ids come from."""

    def new(self, now: datetime, prefix: str = "") -> str:
        """An id that was never given before."""


class RandomIds:
    """UUIDv7 with 74 random bits."""

    def new(self, now: datetime, prefix: str = "") -> str:
        """See `Ids.new`."""
        return f"{prefix}{uuid7(now, secrets.randbits(74))}"


def run_prefix(kind: RunKind) -> str:
    """The documented prefix of a kind's ids."""
    return _PREFIX[kind]


def uuid7(now: datetime, random: int) -> uuid.UUID:
    """RFC 9562, version 7: 48 bits of milliseconds, 74 random ones."""
    ms = int(now.timestamp() * 1000)
    value = (
        (ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64 | 0b10 << 62 | random & ((1 << 62) - 1)
    )
    return uuid.UUID(int=value)
