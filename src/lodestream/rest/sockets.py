"""WebSockets for subscriptions: `websocketUrl` carries a ticket that stands for the subscriber for some minutes.

The ticket is kept here, not signed: behind it is the credential that subscribed, which never leaves the process. A
frame is the JSON of a server-sent event, `{"id": …, "event": …, "data": …}`; `?after=` continues after an id.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from lodestream.rest import reading
from lodestream.rest.asked import Asked, base_url
from lodestream.rest.rpcs import Rpc
from lodestream.rest.settings import Shared
from lodestream.rest.unary import Unary
from lodestream.v1.webhook_pb2 import SUBSCRIPTION_TYPE_WEBSOCKET, SubscribeToJobRequest, SubscribeToJobResponse
from lodestream.wire import Language

#: Time to connect, and to come back after a broken connection.
TICKET_S: Final = 300.0
#: Tickets at once; beyond it the oldest go.
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket stands for: a subscription at `path`, as asked for, with the credential that asked."""

    path: str
    request: SubscribeToJobRequest
    subscription_id: str
    metadata: tuple[tuple[str, str], ...]
    language: Language
    issued: float


class Tickets:
    """The tickets that are out. `new` makes the text of one; `clock` gives seconds that never go back."""

    def __init__(self, new: Callable[[str], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._new = new
        self._clock = clock
        self._out: OrderedDict[str, Ticket] = OrderedDict()

    def issue(self, path: str, asked: Asked, request: SubscribeToJobRequest, subscription_id: str) -> str:
        """A new ticket for a subscription, in the name of the one who made it."""
        text = self._new(path)
        now = self._clock()
        self._out[text] = Ticket(path, request, subscription_id, reading.metadata(asked), asked.language, now)
        while len(self._out) > _MOST or next(iter(self._out.values())).issued + TICKET_S < now:
            self._out.popitem(last=False)
        return text

    def find(self, text: str, path: str) -> Ticket | None:
        """The ticket behind a text, for that address; None when there is none, or no longer."""
        found = self._out.get(text)
        return found if found and found.path == path and self.age_s(found) <= TICKET_S else None

    def age_s(self, ticket: Ticket) -> float:
        """Seconds since it was issued, which was when its subscription began."""
        return self._clock() - ticket.issued


class Subscribing:
    """Answers POST …/subscribe: the generic answer, with the address of the socket where one was asked for."""

    def __init__(self, rpc: Rpc, shared: Shared, tickets: Tickets) -> None:
        self._tickets = tickets
        self._public_url = shared.settings.public_url.rstrip("/")
        self._unary = Unary(rpc, shared, with_body=True, is_get=False, finish=self._finish)

    async def __call__(self, asked: Asked) -> Any:
        """Raises Refused and Refusal."""
        return await self._unary(asked)

    def _finish(self, asked: Asked, message: Message, answer: Message) -> None:
        assert isinstance(message, SubscribeToJobRequest)  # of this method
        assert isinstance(answer, SubscribeToJobResponse)
        if answer.subscription_type == SUBSCRIPTION_TYPE_WEBSOCKET:
            path = f"{asked.scope['path'].removesuffix('/subscribe')}/subscriptions/{answer.subscription_id}/events"
            ticket = self._tickets.issue(path, asked, message, answer.subscription_id)
            base = (self._public_url or base_url(asked.scope)).replace("http", "ws", 1)
            answer.websocket_url = f"{base}{path}?ticket={ticket}"
