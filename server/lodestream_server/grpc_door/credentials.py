"""Every kind of credential that a call may bring as its bearer token: API keys, JSON web tokens, tickets of the REST
door. Each ends as an ApiKey, so that nothing after it asks which kind it was.
"""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from lodestream import tickets
from lodestream_server.grpc_door.admin_token import write_private
from lodestream_server.grpc_door.web_tokens import WebTokens
from lodestream_server.store.keys import ApiKey

#: Signs download links and tickets; made at the first start. Deleting it ends all links that are out.
LINK_KEY_FILE: Final = "link-key"
_LINK_KEY_BYTES: Final = 32


class Checker(Protocol):
    """Something that knows credentials."""

    async def check(self, secret: str) -> ApiKey | None:
        """Whose credential this is; None when it is none."""


class Credentials:
    """Asks the kinds in turn. `link_key` None takes no tickets, `web_tokens` None no JSON web tokens."""

    def __init__(
        self,
        keys: Checker,
        *,
        link_key: bytes | None = None,
        web_tokens: WebTokens | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._link_key = link_key
        self._web_tokens = web_tokens
        self._clock = clock

    async def check(self, secret: str) -> ApiKey | None:
        """Whose credential this is; None when it is none."""
        if secret.startswith(tickets.PREFIX):
            return self._of_ticket(secret)
        if self._web_tokens is not None and secret.count(".") == 2:
            return await self._web_tokens.check(secret)
        return await self._keys.check(secret)

    def _of_ticket(self, text: str) -> ApiKey | None:
        """A reader of one project, called by the link that let it in."""
        now = self._clock()
        ticket = tickets.read(self._link_key, text, now) if self._link_key else None
        if ticket is None:
            return None
        made = datetime.fromtimestamp(now, UTC)
        return ApiKey("ticket", tickets.PREFIX, "download link", "read", made, ticket.tenant_id, ticket.project_id)


def link_key(data_dir: Path) -> bytes:
    """The key of this server's links, made when there is none yet."""
    path = data_dir / LINK_KEY_FILE
    if not path.exists():
        write_private(path, secrets.token_hex(_LINK_KEY_BYTES) + "\n")
    return bytes.fromhex(path.read_text())
