"""The composition of delivery. `app` makes one beside the engine, starts it, hands it to the webhook service, and
closes it before the engine.

    delivery = Delivery(engine.store, tokens, clock=engine.clock, ids=engine.ids, settings=settings)
    await delivery.start()
"""

from contextlib import AsyncExitStack

import httpcore

from lodestream_server.delivery.courier import Courier
from lodestream_server.delivery.endpoints import Kind
from lodestream_server.delivery.mailing import MailSender
from lodestream_server.delivery.posting import Poster
from lodestream_server.delivery.senders import Caller, Sender, SlackSender, Tokens
from lodestream_server.delivery.service import Service
from lodestream_server.delivery.settings import DeliverySettings
from lodestream_server.delivery.subscriptions import Subscriptions
from lodestream_server.delivery.webhooks import Webhooks
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.ids import Ids
from lodestream_server.store.store import Store


class Delivery:
    """All ways of telling others. `tokens` gives the resume token of a run after an event; `backend` replaces the
    dialling, for tests."""

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        *,
        clock: Clock,
        ids: Ids,
        settings: DeliverySettings | None = None,
        backend: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        settings = settings or DeliverySettings()
        self._poster = Poster(settings, backend)
        caller = Caller(self._poster, tokens, clock)
        courier = Courier(store, clock, settings, _senders(caller, self._poster, settings))
        self._service = Service(store, courier, clock, settings)
        self._stack = AsyncExitStack()
        self.webhooks = Webhooks(store, self._service, courier, caller, clock=clock, ids=ids, settings=settings)
        self.subscriptions = Subscriptions(store, self._service, clock=clock, ids=ids, settings=settings)

    async def start(self) -> None:
        """Goes on where the last server stopped. Raises StoreUnavailable, DiskFull."""
        await self._stack.enter_async_context(self._poster)
        self._stack.push_async_callback(self._service.close)
        await self._service.start()
        await self.webhooks.resume()

    async def close(self) -> None:
        """Stops at once. What is not settled is sent after the next start."""
        await self._stack.aclose()


def _senders(caller: Caller, poster: Poster, settings: DeliverySettings) -> dict[Kind, Sender]:
    senders: dict[Kind, Sender] = {
        Kind.WEBHOOK: caller,
        Kind.SUBSCRIPTION: caller,
        Kind.CALLBACK: caller,
        Kind.BATCH_CALLBACK: caller,
        Kind.SLACK: SlackSender(poster, settings.slack, settings.public_url),
    }
    if settings.mail is not None:
        senders[Kind.EMAIL] = MailSender(settings.mail, settings.public_url, settings.attempt_s)
    return senders
