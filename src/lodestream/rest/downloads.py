"""Downloads: the bytes of an artifact, whole or one range, straight out of the DownloadArtifact stream.

With the signature of a link no key is needed: the facade, which made the link, asks for the caller with a ticket.
Files that a browser would run are shown in a sandbox without scripts, and no file's type is guessed.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from grpc import aio
from starlette.types import Receive, Scope, Send

from lodestream import tickets
from lodestream.rest import reading, rpc_errors
from lodestream.rest.answers import Answer, Headers, Sendable, begun, length, matches
from lodestream.rest.asked import Asked
from lodestream.rest.problems import invalid
from lodestream.rest.ranges import Span, span
from lodestream.rest.rpcs import Rpc
from lodestream.rest.settings import Shared
from lodestream.v1.artifact_pb2 import Artifact, DownloadArtifactRequest
from lodestream.wire import Refused, check, from_params

#: Shown in the browser; everything else is saved.
_SHOWN: Final = ("text/html", "image/svg+xml", "image/png", "application/pdf", "text/plain")
_SANDBOX: Final = b"sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:"
_SIGNED: Final = ("expires", "signature")


class Downloads:
    """Answers GET …/runs/{runId}/artifacts/{artifactId}."""

    def __init__(self, rpc: Rpc, shared: Shared, clock: Callable[[], float]) -> None:
        self._rpc = rpc
        self._shared = shared
        self._clock = clock

    async def __call__(self, asked: Asked) -> Sendable:
        """Raises Refused and Refusal."""
        metadata = self._metadata(asked)
        request = from_params(DownloadArtifactRequest, asked.path, asked.query)
        if problems := check(request):
            raise Refused(reading.placed(problem, asked.path, False) for problem in problems)
        try:
            return await self._open(asked, request, metadata)
        except aio.AioRpcError as error:
            told = rpc_errors.refusal(error, DownloadArtifactRequest.DESCRIPTOR, asked.path, with_body=False)
            raise told or error from None

    def _metadata(self, asked: Asked) -> tuple[tuple[str, str], ...]:
        """The caller's own credential, or a ticket for the bearer of a good link."""
        given = {name: asked.query.pop(name) for name in _SIGNED if name in asked.query}
        if not given:
            return reading.metadata(asked)
        if len(given) < 2 or any(len(texts) != 1 for texts in given.values()):
            raise invalid("/signature", "belongs together with expires", "use the link as it was given", "query")
        self._shared.links.check(asked.scope["path"], given["expires"][0], given["signature"][0])
        key = self._shared.settings.link_key or b""
        ticket = tickets.issue(key, asked.path["tenantId"], asked.path["projectId"], self._clock())
        return (("authorization", f"Bearer {ticket}"), ("x-request-id", asked.request_id))

    async def _open(self, asked: Asked, request: DownloadArtifactRequest, metadata: Any) -> Sendable:
        call = self._rpc.call(request, metadata=metadata)
        try:
            artifact = (await call.read()).artifact
            tag = b'"%s"' % artifact.sha256.encode()
            headers = _headers(artifact, tag)
            wanted = asked.headers.get(b"if-none-match")
            if wanted is not None and artifact.sha256 and matches(tag, wanted):
                call.cancel()
                return Answer(304, b"", headers=headers)
            part = _range(asked, artifact, tag)
            if part:
                call.cancel()
                request.offset, request.length = part.offset, part.length
                call = self._rpc.call(request, metadata=metadata)
                await call.read()
        except BaseException:
            call.cancel()
            raise
        return _File(call, artifact, headers, part)


def _range(asked: Asked, artifact: Artifact, tag: bytes) -> Span | None:
    """The range to send; none when the file is another one than the caller has the beginning of."""
    if b"range" not in asked.headers or not artifact.HasField("size_bytes"):
        return None
    if asked.headers.get(b"if-range", tag) != tag:
        return None
    return span(asked.header(b"range"), artifact.size_bytes)


def _headers(artifact: Artifact, tag: bytes) -> Headers:
    name = artifact.file_name or artifact.name or "file"
    shown = artifact.media_type.split(";")[0] in _SHOWN
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    disposition = (
        f"{'inline' if shown else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    )
    headers = [(b"content-disposition", disposition.encode()), (b"accept-ranges", b"bytes")]
    headers += [(b"content-security-policy", _SANDBOX), (b"cache-control", b"private, no-cache")]
    # A link in the address must not travel on to where a shown page leads.
    headers += [(b"referrer-policy", b"no-referrer"), (b"cross-origin-resource-policy", b"same-site")]
    return [*headers, (b"etag", tag)] if artifact.sha256 else headers


class _File:
    """Sends the chunks of a call as they come; the call sets the pace of reading, the socket that of sending."""

    def __init__(self, call: Any, artifact: Artifact, headers: Headers, part: Span | None) -> None:
        self._call = call
        self._media_type = (artifact.media_type or "application/octet-stream").encode()
        self._status = 206 if part else 200
        self._headers = headers
        if part:
            self._headers = [*headers, (b"content-range", part.content_range), length(part.length)]
        elif artifact.HasField("size_bytes"):
            self._headers = [*headers, length(artifact.size_bytes)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stops when the caller goes; a call that fails half-way breaks the connection, so that nobody takes a part for
        the whole."""
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await send(begun(self._status, self._media_type, self._headers))
            if scope["method"] != "HEAD":
                while not gone.done() and (frame := await self._call.read()) is not aio.EOF:
                    await send({"type": "http.response.body", "body": frame.chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self._call.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
