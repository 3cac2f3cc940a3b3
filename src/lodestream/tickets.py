"""Tickets: short-lived credentials that one door of a server makes for the other, signed with the server's own key.

The facade makes one after it has checked a signed download link, whose holder has no API key; the guard of the gRPC
door accepts it for reading in that one project. A ticket never leaves the server and is good for a minute.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "lodeticket."
#: Long enough for a call to begin; the call itself may last.
LIFETIME_S: Final = 60


@dataclass(frozen=True, slots=True)
class Ticket:
    """Whom a ticket lets in: readers of one project, until `expires` (seconds since the epoch)."""

    tenant_id: str
    project_id: str
    expires: int


def issue(key: bytes, tenant_id: str, project_id: str, now: float) -> str:
    """The text of a new ticket, to be sent as a bearer token."""
    said = f"{tenant_id}.{project_id}.{int(now) + LIFETIME_S}"
    return f"{PREFIX}{said}.{_signature(key, said)}"


def read(key: bytes, text: str, now: float) -> Ticket | None:
    """The ticket behind a text; None when it is none of ours, was changed, or is over."""
    said, _, signature = text.removeprefix(PREFIX).rpartition(".")
    parts = said.split(".")
    if not text.startswith(PREFIX) or len(parts) != 3:
        return None
    if not hmac.compare_digest(_signature(key, said).encode(), signature.encode("utf-8", "replace")):
        return None
    ticket = Ticket(parts[0], parts[1], int(parts[2]))
    return ticket if now <= ticket.expires else None


def _signature(key: bytes, said: str) -> str:
    digest = hmac.digest(key, f"ticket\n{said}".encode("utf-8", "replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
