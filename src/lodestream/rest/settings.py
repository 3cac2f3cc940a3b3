"""What the parts of the facade share: its settings, the signer of download links, and the streams that are open."""

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from lodestream.rest.guard import MAX_BODY_BYTES
from lodestream.rest.links import Links
from lodestream.rest.streams import Streams


@dataclass(frozen=True, slots=True)
class RestSettings:
    """The facade's settings.

    `hosts` are the names that it answers for besides localhost and bare addresses, "*" for any; `origins` the web
    origins that may call it from a browser (none by default); `link_key` signs download links (none: links need the
    caller's key as everything else); `public_url` replaces scheme and host in links behind a proxy.
    """

    hosts: Collection[str] = ()
    origins: Collection[str] = ()
    max_body_bytes: int = MAX_BODY_BYTES
    # Stopping a run takes up to its grace of 5 s and the delivery of the receipt; nothing else takes as long.
    call_timeout_s: float = 60.0
    # Proxies close idle connections after 30 s and more.
    idle_comment_s: float = 10.0
    link_key: bytes | None = None
    link_ttl_s: float = 3600.0
    public_url: str = ""
    # Where the files of forms wait; the system's folder for temporary files when it is not said.
    spool_dir: str | None = None
    # The ticket of a socket at this path. Whoever can guess one is let in: only the mock does not care.
    new_ticket: Callable[[str], str] = lambda _path: secrets.token_urlsafe(24)


@dataclass(slots=True)
class Shared:
    """Handed to every handler."""

    settings: RestSettings
    links: Links
    streams: Streams = field(default_factory=Streams)

    @property
    def call_timeout_s(self) -> float:
        """How long a unary call may take."""
        return self.settings.call_timeout_s
