"""The facade put together: an ASGI application in front of a gRPC channel.

From the outside in: CORS where it is configured, what catches every problem, the guard, the few addresses that are not
in the document (health, the document itself, its pages), and connexion with our routing and our one middleware.
"""

import logging
import secrets
import time
from typing import Any

from grpc import aio
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lodestream.rest.document import routes, text
from lodestream.rest.downloads import Downloads
from lodestream.rest.framework import ConnexionMiddleware
from lodestream.rest.guard import Guard
from lodestream.rest.links import Links
from lodestream.rest.operations import Operations
from lodestream.rest.pages import Pages
from lodestream.rest.problems import Refusal, problem, unexpected
from lodestream.rest.resolver import ByName, Handler
from lodestream.rest.routing import Routing
from lodestream.rest.rpcs import rpcs
from lodestream.rest.settings import RestSettings, Shared
from lodestream.rest.socket_frames import Sockets, deny
from lodestream.rest.sockets import Subscribing, Tickets
from lodestream.rest.uploads import Uploads
from lodestream.wire import Refused

_log = logging.getLogger(__name__)


class Facade:
    """The ASGI application. `channel` is anybody's: the facade neither opens nor closes it."""

    def __init__(self, channel: aio.Channel, settings: RestSettings | None = None) -> None:
        settings = settings or RestSettings()
        links = Links(settings.link_key, settings.link_ttl_s, settings.public_url)
        self._shared = Shared(settings, links)
        calls = rpcs(channel)
        tickets = Tickets(settings.new_ticket)
        own: dict[str, Handler] = {
            "SubscribeToJob": Subscribing(calls["SubscribeToJob"], self._shared, tickets),
            "UploadDataset": Uploads(calls["UploadDataset"], settings.spool_dir),
            "DownloadArtifact": Downloads(calls["DownloadArtifact"], self._shared, time.time),
        }
        inner: ASGIApp = _connexion(ByName(calls, self._shared, own))
        inner = Sockets(inner, calls["WatchJob"], calls["ListSubscriptions"], tickets, self._shared)
        inner = Pages(inner, text(), channel)
        inner = Guard(inner, settings.hosts, settings.max_body_bytes)
        inner = Problems(inner)
        self._app = _with_cors(inner, settings) if settings.origins else inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers requests; lifespan messages are acknowledged, since nothing here starts or stops with the server."""
        if scope["type"] == "lifespan":
            await _acknowledge(receive, send)
        else:
            await self._app(scope, receive, send)

    async def close(self) -> None:
        """Ends the open streams; call it before the server stops, which would wait for them."""
        await self._shared.streams.close()


class Problems:
    """Outermost: gives every request an id and turns every exception into a problem document."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Never raises before the answer has begun."""
        scope["lodestream.request_id"] = request_id = secrets.token_hex(8)
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except (Refusal, Refused) as refused:
            if begun:
                raise
            await _told(scope, problem(refused, request_id), receive, send)
        except Exception:
            _log.exception("Unexpected fault, error id %s", request_id)
            if begun:
                raise
            await _told(scope, unexpected(request_id, request_id), receive, send)


async def _told(scope: Scope, answer: Any, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await deny(scope, send, answer)
    else:
        await answer(scope, receive, send)


def _connexion(resolver: ByName) -> ConnexionMiddleware:
    made = ConnexionMiddleware(_nothing_below, import_name=__name__, middlewares=[Routing, Operations])
    made.add_api(routes(), resolver=resolver)
    return made


async def _nothing_below(scope: Scope, receive: Receive, send: Send) -> None:
    raise Refusal("ROUTE_NOT_FOUND", "There is nothing at this address.")


def _with_cors(app: ASGIApp, settings: RestSettings) -> ASGIApp:
    """Lets the configured origins call from a browser; credentials travel in a header, so no cookies are allowed."""
    return CORSMiddleware(
        app,
        allow_origins=list(settings.origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["authorization", "content-type", "idempotency-key", "if-none-match", "last-event-id"],
        expose_headers=["etag", "retry-after", "content-language", "x-request-id", "content-disposition"],
    )


async def _acknowledge(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})
