"""Server-sent events: a Watch stream of the contract on the address of its unary twin.

A frame is an event: `id` its resume token, `event` its kind, `data` its documented JSON; the last is `done`. The first
frame is read before the answer begins, so that an error of the call is still an error of the request. When the caller
goes, the call is cancelled; when the facade stops, the stream ends without `done`, which means: resume.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from google.protobuf.message import Message
from grpc import StatusCode, aio
from starlette.types import Receive, Scope, Send

from lodestream.rest import reading, rpc_errors
from lodestream.rest.answers import Sendable, begun
from lodestream.rest.asked import Asked
from lodestream.rest.problems import Refusal, problem
from lodestream.rest.rpcs import Rpc
from lodestream.rest.settings import Shared
from lodestream.wire import Language, to_json
from lodestream.wire.fields import descriptor_of

_log = logging.getLogger(__name__)

_COMMENT = b": idle\n\n"
# A browser reconnects after this; its own default is three to five seconds.
_RETRY = b"retry: 1000\n\n"
_HEADERS = [(b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"), (b"vary", b"accept, accept-language")]


class Live:
    """Opens the streams of one Watch method."""

    def __init__(self, rpc: Rpc, shared: Shared) -> None:
        self._rpc = rpc
        self._shared = shared

    async def open(self, asked: Asked, message: Message, *, replay: bool) -> Sendable:
        """The stream, its first frame already read. Raises AioRpcError for calls that the server refuses."""
        if self._shared.streams.closing:
            raise Refusal("UNAVAILABLE", "The facade is stopping; try again.", headers=[(b"retry-after", b"1")])
        request: Any = self._rpc.request(request=message)
        if token := asked.header(b"last-event-id"):
            request.resume_token = token
        if replay:
            request.replay = True
        call = self._rpc.call(request, metadata=reading.metadata(asked))
        try:
            first = await call.read()
        except BaseException:
            call.cancel()
            raise
        explain = partial(rpc_errors.refusal, request=descriptor_of(message), in_path=asked.path, with_body=False)
        return EventStream(call, first, asked.language, self._shared, explain)


class EventStream:
    """One answer of server-sent events; `explain` turns the failure of a call into what this door says of it."""

    def __init__(
        self,
        call: Any,
        first: Any,
        language: Language,
        shared: Shared,
        explain: Callable[[aio.AioRpcError], Refusal | None],
    ) -> None:
        self._call = call
        self._first = first
        self._language: Language = language
        self._shared = shared
        self._explain = explain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends frames until the stream ends, the caller goes, or the facade stops."""
        over = asyncio.ensure_future(_disconnected(receive))

        def end() -> None:
            over.cancel()

        self._shared.streams.enter(end)
        headers = [*_HEADERS, (b"content-language", self._language.encode())]
        try:
            await send(begun(200, b"text/event-stream; charset=utf-8", headers))
            async with aclosing(self._pieces(over)) as pieces:
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._call.cancel()
            over.cancel()
            self._shared.streams.leave(end)

    async def _pieces(self, over: asyncio.Future[None]) -> AsyncGenerator[bytes, None]:
        yield _RETRY
        frame = self._first
        while frame is not aio.EOF:
            yield event(frame, self._language)
            coming = asyncio.ensure_future(self._call.read())
            try:
                while not coming.done():
                    await asyncio.wait({coming, over}, timeout=self._idle_s, return_when=asyncio.FIRST_COMPLETED)
                    if over.done():
                        return
                    if not coming.done():
                        yield _COMMENT
                frame = coming.result()
            except aio.AioRpcError as error:
                if piece := self._last_words(error):
                    yield piece
                return
            finally:
                coming.cancel()

    def _last_words(self, error: aio.AioRpcError) -> bytes:
        """What to say of a call that failed after its stream began: nothing when resuming is all there is to do."""
        if error.code() in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED, StatusCode.DEADLINE_EXCEEDED):
            return b""
        _log.error("A stream failed after it had begun: %s", error.code())
        return b"event: problem\ndata: %s\n\n" % problem(self._explain(error) or error).body

    @property
    def _idle_s(self) -> float:
        return self._shared.settings.idle_comment_s


def event(frame: Any, language: Language) -> bytes:
    """A frame as an event. Tokens and JSON hold no line breaks; an empty id would make the caller forget the last."""
    kind = frame.WhichOneof("frame") or "bookmark"
    name = b"id: %s\n" % frame.resume_token.encode() if frame.resume_token else b""
    return b"%sevent: %s\ndata: %s\n\n" % (name, kind.encode(), to_json(getattr(frame, kind), language))


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
