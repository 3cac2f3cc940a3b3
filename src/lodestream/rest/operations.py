"""Our one connexion middleware: everything about an operation that can be known beforehand is worked out once.

A request gets here routed and guarded. It leaves as `Asked`, negotiated (406, 415), its query split, for the function
that the resolver found; parameters and body are then read by the transcoder, which is compiled from the same protos as
the document.
"""

from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from lodestream.rest.asked import Asked
from lodestream.rest.framework import AbstractOperation, RoutedAPI, RoutedMiddleware
from lodestream.rest.guard import DOCUMENT, takes_json
from lodestream.rest.negotiation import JSON, best, language
from lodestream.rest.problems import Refusal

#: More pairs than any documented query has; beyond it nobody meant it well.
_MAX_QUERY_PAIRS = 1000


class Operation:
    """One operation: what it takes, what it offers, and the function that answers."""

    def __init__(self, operation: AbstractOperation) -> None:
        self._respond = operation.function
        self._takes: tuple[str, ...] = tuple(operation.consumes)
        content = operation.responses["200"].get("content", {})
        self._offers = tuple(media for media in content if "*" not in media) if "*/*" not in content else ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        headers = scope["lodestream.headers"]
        media_type = self._negotiated(headers.get(b"accept", b""))
        if b"content-type" in headers:
            self._check_body(headers)
        asked = Asked(
            scope=scope,
            receive=receive,
            headers=headers,
            path=scope["path_params"],
            query=_query(scope["query_string"]) if scope["query_string"] else {},
            body=scope.get(DOCUMENT),
            media_type=media_type,
            language=language(headers.get(b"accept-language", b"")),
            request_id=scope["lodestream.request_id"],
        )
        answer = await self._respond(asked)
        await answer(scope, receive, send)

    def _negotiated(self, accept: bytes) -> str:
        media_type = best(accept, self._offers) if self._offers else JSON
        if media_type is None:
            raise Refusal("NOT_ACCEPTABLE", f"Offered here: {', '.join(self._offers)}.")
        return media_type

    def _check_body(self, headers: dict[bytes, bytes]) -> None:
        given = headers[b"content-type"].decode("latin-1").split(";")[0].strip().lower()
        if not self._takes or given in self._takes or (JSON in self._takes and takes_json(headers)):
            return
        if headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers:
            return  # a media type without a body says nothing
        raise Refusal("UNSUPPORTED_MEDIA_TYPE", f"Taken here: {', '.join(self._takes)}.")


class _Operations(RoutedAPI):  # type: ignore[misc]  # connexion ships no types
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.add_paths()

    def make_operation(self, operation: AbstractOperation) -> Operation:
        return Operation(operation)


class Operations(RoutedMiddleware):  # type: ignore[misc]  # connexion ships no types
    """Calls the operation that the routing found."""

    api_cls = _Operations


def _query(text: bytes) -> dict[str, list[str]]:
    """Name -> every value given for it, in order."""
    found: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(
            text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_QUERY_PAIRS
        ):
            found.setdefault(name, []).append(value)
    except ValueError:
        raise Refusal("MALFORMED", "The query is not percent-encoded UTF-8, or has too many parameters.") from None
    return found
