"""The open socket of a subscription: the frames of the job's stream that the subscriber asked for, as text messages.

Closes with 1000 after `done` and when the subscription has ended, with 1012 (come again) when the stream ends early,
with 1011 after a fault. A refused handshake is answered with a problem document.
"""

import asyncio
import logging
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
from grpc import StatusCode, aio
from starlette.types import ASGIApp, Receive, Scope, Send

from lodestream.rest import rpc_errors
from lodestream.rest.answers import Answer, begun
from lodestream.rest.problems import Refusal, problem
from lodestream.rest.rpcs import Rpc
from lodestream.rest.settings import Shared
from lodestream.rest.sockets import Ticket, Tickets
from lodestream.rest.wishes import Wishes
from lodestream.v1.job_pb2 import GetJobRequest, WatchJobRequest
from lodestream.v1.webhook_pb2 import ListSubscriptionsRequest, SubscribeToJobResponse
from lodestream.wire import Language, to_json
from lodestream.wire.fields import descriptor_of

_log = logging.getLogger(__name__)

_DONE: Final = 1000
_FAULT: Final = 1011
_COME_AGAIN: Final = 1012
_DENIAL: Final = "websocket.http.response"
_PASSING: Final = (StatusCode.UNAVAILABLE, StatusCode.CANCELLED, StatusCode.DEADLINE_EXCEEDED)


class Sockets:
    """Answers WebSocket handshakes and passes everything else on."""

    def __init__(self, app: ASGIApp, watch: Rpc, subscriptions: Rpc, tickets: Tickets, shared: Shared) -> None:
        self._app = app
        self._watch = watch
        self._subscriptions = subscriptions
        self._tickets = tickets
        self._shared = shared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one socket until either side ends it."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        await receive()  # websocket.connect
        try:
            ticket, token = self._allowed(scope)
            until = await self._until(ticket)
            call, first = await self._open(ticket, token)
        except Refusal as refused:
            await deny(scope, send, problem(refused, scope["lodestream.request_id"]))
            return
        await self._tell(receive, send, call, first, ticket, until)

    def _allowed(self, scope: Scope) -> tuple[Ticket, str]:
        """The ticket, and the id to continue after. Raises Refusal."""
        if self._shared.streams.closing:
            raise Refusal("UNAVAILABLE", "The facade is stopping; try again.")
        query = parse_qs(scope["query_string"].decode("latin-1"))
        ticket = self._tickets.find(query.get("ticket", [""])[0], scope["path"])
        if ticket is None:
            raise Refusal("LINK_NOT_VALID", "The ticket is not valid, or no longer; subscribe again.")
        return ticket, query.get("after", [""])[0]

    async def _until(self, ticket: Ticket) -> float | None:
        """Seconds that the subscription lasts, None when it does not end. Raises Refusal when it has ended.

        Measured from the ticket on: the times in the answer are the server's, whose clock may be another one.
        """
        of = ticket.request
        request = ListSubscriptionsRequest(tenant_id=of.tenant_id, project_id=of.project_id, job_id=of.job_id)
        answer = await self._called(self._subscriptions.call(request, metadata=ticket.metadata, timeout=10.0), request)
        found = next((s for s in answer.subscriptions if s.subscription_id == ticket.subscription_id), None)
        lasts = _lasts_s(found) if found else 0.0
        left = None if lasts is None else lasts - self._tickets.age_s(ticket)
        if left is not None and left <= 0:
            raise Refusal("SUBSCRIPTION_NOT_FOUND", "The subscription has ended; subscribe again.")
        return left

    async def _open(self, ticket: Ticket, token: str) -> tuple[Any, Any]:
        of = ticket.request
        job = GetJobRequest(tenant_id=of.tenant_id, project_id=of.project_id, job_id=of.job_id)
        request = WatchJobRequest(request=job, resume_token=token or None)
        call = self._watch.call(request, metadata=ticket.metadata)
        try:
            return call, await self._called(call.read(), job)
        except BaseException:
            call.cancel()
            raise

    async def _called(self, call: Any, request: Any) -> Any:
        try:
            return await call
        except aio.AioRpcError as error:
            told = rpc_errors.refusal(error, descriptor_of(request), (), with_body=False)
            raise told or error from None

    async def _tell(
        self, receive: Receive, send: Send, call: Any, first: Any, ticket: Ticket, until: float | None
    ) -> None:
        gone = asyncio.ensure_future(_disconnected(receive))
        stopping = asyncio.Event()
        self._shared.streams.enter(stopping.set)
        telling = asyncio.ensure_future(_frames(send, call, first, Wishes(ticket.request), ticket.language))
        stopped = asyncio.ensure_future(stopping.wait())
        try:
            await send({"type": "websocket.accept"})
            await asyncio.wait({gone, telling, stopped}, timeout=until, return_when=asyncio.FIRST_COMPLETED)
            if not gone.done():
                await send({"type": "websocket.close", "code": _code(telling, stopped)})
        finally:
            for task in (gone, telling, stopped):
                task.cancel()
            call.cancel()
            await asyncio.gather(gone, telling, stopped, return_exceptions=True)
            self._shared.streams.leave(stopping.set)


async def deny(scope: Scope, send: Send, answer: Answer) -> None:
    """Refuses a handshake: with the problem document where the server can send one, else with a bare 403."""
    if _DENIAL not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    head = begun(answer.status, answer.media_type, answer.headers)
    await send({**head, "type": f"{_DENIAL}.start"})
    await send({"type": f"{_DENIAL}.body", "body": answer.body})


def _lasts_s(subscription: SubscribeToJobResponse) -> float | None:
    if not subscription.HasField("expires_at"):
        return None
    return (subscription.expires_at.ToDatetime() - subscription.created_at.ToDatetime()).total_seconds()


def message(frame: Any, language: Language) -> str:
    """A frame as a text message."""
    kind = frame.WhichOneof("frame") or "bookmark"
    said = {"id": frame.resume_token, "event": kind, "data": orjson.Fragment(to_json(getattr(frame, kind), language))}
    return orjson.dumps(said).decode()


async def _frames(send: Send, call: Any, first: Any, wishes: Wishes, language: Language) -> int:
    """Sends every frame that is asked for; the code to close with."""
    frame, kind = first, ""
    while frame is not aio.EOF:
        kind = frame.WhichOneof("frame")
        if wishes.passing(frame):
            await send({"type": "websocket.send", "text": message(frame, language)})
        try:
            frame = await call.read()
        except aio.AioRpcError as error:
            if error.code() in _PASSING:
                return _COME_AGAIN
            _log.error("A socket's stream failed after it had begun: %s", error.code())
            return _FAULT
    return _DONE if kind == "done" else _COME_AGAIN


def _code(telling: asyncio.Future[int], stopped: asyncio.Future[Any]) -> int:
    if not telling.done():
        return _COME_AGAIN if stopped.done() else _DONE
    if telling.exception() is not None:
        _log.error("A socket failed", exc_info=telling.exception())
        return _FAULT
    return telling.result()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass
