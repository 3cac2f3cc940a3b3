"""A request as the handlers see it: routed, negotiated, its query split and its body parsed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import Receive, Scope

from lodestream.wire import Language


@dataclass(slots=True)
class Asked:
    """One request.

    `headers` are lower-case names -> values; `path` and `query` hold decoded texts; `body` is the parsed JSON document
    (None where there is none); `media_type` is the one chosen for the answer; `receive` still gives the body of an
    upload, and `body_is_read` says when it has given all of it.
    """

    scope: Scope
    receive: Receive
    headers: Mapping[bytes, bytes]
    path: Mapping[str, str]
    query: dict[str, list[str]]
    body: Any
    media_type: str
    language: Language
    request_id: str
    body_is_read: bool = False

    def header(self, name: bytes) -> str:
        """The text of a header, "" when it is absent."""
        return self.headers.get(name, b"").decode("latin-1")


def base_url(scope: Scope) -> str:
    """Scheme and host that the caller used, such as "https://example.org"; the guard has checked the host before."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    return f"{scope['scheme']}://{host}" if host else ""
