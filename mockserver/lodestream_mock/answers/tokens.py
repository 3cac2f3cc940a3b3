"""Resume tokens: how far a stream was read, of what.

A token names the scenario, the method with its request (without the token itself), and a number within it; a checksum
tells typing errors from tokens of other requests. The same on both doors.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from google.protobuf.message import Message


@dataclass(frozen=True, slots=True)
class Resume:
    """Where to go on: after happening number `sequence`; `reset` says why that cannot be done, "" when it can."""

    sequence: int = 0
    reset: str = ""


def scope_of(scenario: str, method: str, request: Message) -> str:
    """What a token is good for."""
    body = request.SerializeToString(deterministic=True)
    return hashlib.blake2b(b"\0".join((scenario.encode(), method.encode(), body)), digest_size=6).hexdigest()


def token(scope: str, sequence: int) -> str:
    """The token after happening number `sequence`."""
    text = f"{scope}.{sequence}"
    return base64.urlsafe_b64encode(f"{text}.{_sum(text)}".encode()).decode().rstrip("=")


def resume(text: str, scope: str, newest: int) -> Resume:
    """Where a token leads within a scope whose newest happening is number `newest`."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return Resume(reset="MALFORMED")
    body, _, checksum = decoded.rpartition(".")
    named, _, number = body.rpartition(".")
    if _sum(body) != checksum or not number.isdigit():
        return Resume(reset="MALFORMED")
    if named != scope:
        return Resume(reset="OTHER_REQUEST")
    return Resume(int(number)) if int(number) <= newest else Resume(reset="BEYOND_LOG")


def _sum(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
