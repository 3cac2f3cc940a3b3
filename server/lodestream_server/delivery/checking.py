"""What of a registration cannot be used. Syntax only: nothing is resolved or called. Pure; raises InvalidField."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from lodestream.errors import InvalidField, Violation
from lodestream_server.delivery.endpoints import Authentication
from lodestream_server.delivery.posting import to_ascii

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
#: Set by us, by the connection, or by what the receiver has to be able to rely on.
_OURS: Final = frozenset(
    {
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
_LONGEST_VALUE: Final = 4000


def check(address_field: str, address: str, headers: Mapping[str, str], authentication: Authentication | None) -> None:
    """Raises InvalidField with every field at fault."""
    if found := [*_address(address_field, address), *_headers(headers, authentication), *_secret(authentication)]:
        raise InvalidField.of(*found)


def _address(field: str, address: str) -> Iterator[Violation]:
    if not address:
        yield Violation(field, "is required; write it like https://example.org/path")
        return
    try:
        to_ascii(address)
    except ValueError:
        yield Violation(
            field, "cannot be called: it has a user name in it or an impossible host; use authentication for secrets"
        )


def _headers(headers: Mapping[str, str], authentication: Authentication | None) -> Iterator[Violation]:
    bearer = authentication is not None and authentication.type == "bearer"
    for name, value in headers.items():
        where, lower = f"headers.{name[:100]}", name.lower()
        if not _TOKEN.fullmatch(name):
            yield Violation(where, "is no name of an HTTP header; use letters, digits and hyphens")
        elif lower in _OURS or lower.startswith("webhook-") or (lower == "authorization" and bearer):
            yield Violation(where, "is set by this service; leave it out")
        elif len(value) > _LONGEST_VALUE or not value.isascii() or not value.isprintable() or value != value.strip():
            yield Violation(where, f"must be one line of printable ASCII, at most {_LONGEST_VALUE} characters")


def _secret(authentication: Authentication | None) -> Iterator[Violation]:
    if authentication is None:
        return
    field = "authentication.token" if authentication.type == "bearer" else "authentication.secret"
    if not authentication.secret:
        yield Violation(field, f"is required for {authentication.type}")
    elif authentication.type == "bearer" and not (
        authentication.secret.isascii() and authentication.secret.isprintable()
    ):
        yield Violation(field, "must be one line of printable ASCII")
