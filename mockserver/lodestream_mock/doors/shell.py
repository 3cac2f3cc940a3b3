"""The ASGI shell around the facade: the control service, explained 404s, and what every answer says of itself.

Adds provenance headers, `Retry-After: 0` so that well-behaved clients do not wait, and request ids that count instead
of being random, so that two runs of the same calls give the same bytes.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import orjson
from grpc import StatusCode

from lodestream_mock import routes
from lodestream_mock.control.explaining import unknown_route
from lodestream_mock.doors.caller import SESSION_KEY
from lodestream_mock.doors.carried import CARRIED, Carried
from lodestream_mock.session.session import Session
from lodestream_mock.session.sessions import Sessions

_OWN = ("/docs", "/openapi.yaml", "/healthz", "/readyz")
_TENANT = re.compile(r"/api/([^/]+)/")
CONTROL = "/__lodestream/"


class Inner(Protocol):
    """The facade."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers a request."""

    async def close(self) -> None:
        """Ends its streams."""


class Shell:
    """`control` answers what lies under /__lodestream/."""

    def __init__(self, inner: Inner, control: Callable[[Any, Any, Any], Awaitable[None]], sessions: Sessions) -> None:
        self._inner = inner
        self._control = control
        self._sessions = sessions

    async def close(self) -> None:
        """Ends the facade's streams."""
        await self._inner.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers a request."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        carried = _carried(headers)
        token = CARRIED.set(carried)
        try:
            if scope["type"] == "websocket":
                await self._inner(scope, receive, send)
            else:
                await self._answer(scope, headers, carried, receive, send)
        finally:
            CARRIED.reset(token)

    async def _answer(self, scope: Any, headers: dict[Any, str], carried: Carried, receive: Any, send: Any) -> None:
        path = str(scope["path"])
        if path.startswith(CONTROL) or path == CONTROL[:-1]:
            await self._control(scope, receive, send)
            return
        session = self._session(path, headers)
        number = session.count("rest-request")
        verb = "GET" if scope["method"] == "HEAD" else scope["method"]
        if not path.startswith(_OWN) and not routes.verbs_at(path):
            await self._unknown(session, verb, path, number, send)
            return
        if b"accept-language" not in headers:
            language = session.settings.language.encode()
            scope = {**scope, "headers": [*scope["headers"], (b"accept-language", language)]}
        await self._inner(scope, receive, _Answer(send, carried, number))

    def _session(self, path: str, headers: dict[Any, str]) -> Session:
        found = _TENANT.match(path)
        return self._sessions.of(headers.get(SESSION_KEY.encode()) or (found[1].lower() if found else ""))

    async def _unknown(self, session: Session, verb: str, path: str, number: int, send: Any) -> None:
        entry = session.journal.begin(session.now_ms, "rest", f"{verb} {path}", "", None, ())
        entry.code, entry.reason, entry.explained = StatusCode.NOT_FOUND.name, "ROUTE_NOT_FOUND", False
        await problem(send, 404, "ROUTE_NOT_FOUND", unknown_route(verb, path), request_id=request_id(number))


def _carried(headers: dict[Any, str]) -> Carried:
    """The session that a request names goes with each call it makes."""
    named = headers.get(SESSION_KEY.encode(), "")
    return Carried(((SESSION_KEY, named),) if named.isascii() and named.isprintable() and named else ())


def request_id(number: int) -> str:
    """The id of a session's n-th request; as long as the facade's random ones."""
    return f"{number:016x}"


async def problem(
    send: Any, status: int, reason: str, detail: str, *, request_id: str = "", headers: Any = (), **more: Any
) -> None:
    """An RFC 9457 answer of the shell itself."""
    document = {
        "type": f"urn:lodestream:problem:{reason.lower().replace('_', '-')}",
        "title": "There is no such address" if status == 404 else "The control call cannot be answered",
        "status": status,
        "detail": detail,
        "reason": reason,
        **more,
    }
    body = orjson.dumps(document)
    head = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"lodestream-provenance", b"derived"),
        *([(b"x-request-id", request_id.encode())] if request_id else []),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


class _Answer:
    """Passes an answer on with the headers of the mock."""

    def __init__(self, send: Any, carried: Carried, number: int) -> None:
        self._send, self._carried = send, carried
        self._id = request_id(number).encode()
        self._random = b""

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": await self._headers(message["headers"])}
        elif self._random and message.get("body"):
            message = {**message, "body": message["body"].replace(self._random, self._id)}
        await self._send(message)

    async def _headers(self, headers: Any) -> list[tuple[bytes, bytes]]:
        out: list[tuple[bytes, bytes]] = []
        is_problem = False
        for name, value in headers:
            if name == b"retry-after":
                out.append((name, b"0"))
            elif name == b"x-request-id":
                self._random = value
                out.append((name, self._id))
            else:
                is_problem = is_problem or value.startswith(b"application/problem")
                out.append((name, value))
        if not is_problem:
            self._random = b""
        return [*out, *await self._provenance()]

    async def _provenance(self) -> list[tuple[bytes, bytes]]:
        if not self._carried.calls:
            return [(b"lodestream-provenance", b"derived")]
        call = self._carried.calls[-1]
        pairs = list(await call.initial_metadata())
        if call.done():
            pairs += list(await call.trailing_metadata())
        told = {str(key): str(value) for key, value in pairs}
        found = [(key.encode(), value.encode()) for key, value in told.items() if key.startswith("lodestream-")]
        return found or [(b"lodestream-provenance", b"derived")]
