"""WebhookService: addresses that are told what happens, and what became of it."""

from typing import Any

from lodestream.v1 import webhook_pb2, webhook_pb2_grpc
from lodestream_server.delivery.delivery import Delivery
from lodestream_server.engine.engine import Engine
from lodestream_server.grpc_door import call
from lodestream_server.runs.shapes.values import timestamp
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind
from lodestream_server.services.as_webhook import (
    as_delivery,
    as_ping,
    as_registered_webhook,
    as_subscription,
    as_webhook,
    standing_of,
    subscription_registration,
    webhook_registration,
)
from lodestream_server.store.paging import PageRequest

_pb = webhook_pb2


class WebhookService(webhook_pb2_grpc.WebhookServiceServicer):
    """See the contract; every method raises what its comment there names. The address of a subscription over
    WebSocket is filled in by the door that serves it."""

    def __init__(self, engine: Engine, delivery: Delivery) -> None:
        self._engine = engine
        self._webhooks = delivery.webhooks
        self._subscriptions = delivery.subscriptions

    async def RegisterWebhook(self, request: _pb.RegisterWebhookRequest, context: Any) -> _pb.RegisterWebhookResponse:
        """Registers an address."""
        registration = webhook_registration(request, self._webhooks.default_retry)
        return as_registered_webhook(await self._webhooks.register(call.current().scope, registration))

    async def ListWebhooks(self, request: _pb.ListWebhooksRequest, context: Any) -> _pb.ListWebhooksResponse:
        """Webhooks of a project."""
        page = await self._webhooks.list(call.current().scope, _page(request))
        return _pb.ListWebhooksResponse(
            webhooks=[as_registered_webhook(one) for one in page.items], next_page_token=page.next_token
        )

    async def GetWebhook(self, request: _pb.GetWebhookRequest, context: Any) -> _pb.GetWebhookResponse:
        """One webhook."""
        found = await self._webhooks.get(call.current().scope, request.webhook_id)
        return as_webhook(found, self._webhooks.default_retry)

    async def DeleteWebhook(self, request: _pb.DeleteWebhookRequest, context: Any) -> _pb.DeleteWebhookResponse:
        """Deletes a webhook."""
        await self._webhooks.delete(call.current().scope, request.webhook_id)
        return _pb.DeleteWebhookResponse(webhook_id=request.webhook_id)

    async def ListDeliveries(self, request: _pb.ListDeliveriesRequest, context: Any) -> _pb.ListDeliveriesResponse:
        """Deliveries of a webhook."""
        scope, standing = call.current().scope, standing_of(request.status)
        page = await self._webhooks.deliveries(scope, request.webhook_id, standing, _page(request))
        return _pb.ListDeliveriesResponse(
            deliveries=[as_delivery(one) for one in page.items], next_page_token=page.next_token
        )

    async def RedeliverDelivery(
        self, request: _pb.RedeliverDeliveryRequest, context: Any
    ) -> _pb.RedeliverDeliveryResponse:
        """Sends a delivery again."""
        scope = call.current().scope
        delivery = await self._webhooks.redeliver(scope, request.webhook_id, request.delivery_id)
        return _pb.RedeliverDeliveryResponse(delivery=as_delivery(delivery))

    async def PingWebhook(self, request: _pb.PingWebhookRequest, context: Any) -> _pb.PingWebhookResponse:
        """Sends a test event."""
        return as_ping(await self._webhooks.ping(call.current().scope, request.webhook_id))

    async def RotateWebhookSecret(
        self, request: _pb.RotateWebhookSecretRequest, context: Any
    ) -> _pb.RotateWebhookSecretResponse:
        """Replaces a webhook's secret."""
        rotated = await self._webhooks.rotate(call.current().scope, request.webhook_id, request.secret)
        return _pb.RotateWebhookSecretResponse(
            webhook_id=request.webhook_id,
            secret=rotated.secret,
            previous_valid_until=timestamp(rotated.previous_valid_until),
        )

    async def SubscribeToJob(self, request: _pb.SubscribeToJobRequest, context: Any) -> _pb.SubscribeToJobResponse:
        """Subscribes to the events of one job."""
        run = await self._job(request.job_id)
        made = await self._subscriptions.subscribe(run, subscription_registration(request))
        return as_subscription(made, self._engine.clock.now())

    async def ListSubscriptions(
        self, request: _pb.ListSubscriptionsRequest, context: Any
    ) -> _pb.ListSubscriptionsResponse:
        """Subscriptions to a job."""
        found = await self._subscriptions.list(await self._job(request.job_id))
        now = self._engine.clock.now()
        return _pb.ListSubscriptionsResponse(subscriptions=[as_subscription(one, now) for one in found])

    async def DeleteSubscription(
        self, request: _pb.DeleteSubscriptionRequest, context: Any
    ) -> _pb.DeleteSubscriptionResponse:
        """Ends a subscription."""
        await self._subscriptions.delete(await self._job(request.job_id), request.subscription_id)
        return _pb.DeleteSubscriptionResponse(subscription_id=request.subscription_id)

    async def _job(self, job_id: str) -> RunState:
        return await self._engine.get(call.current().scope, job_id, RunKind.JOB)


def _page(request: _pb.ListWebhooksRequest | _pb.ListDeliveriesRequest) -> PageRequest:
    return PageRequest(None, request.page_size, request.page_token or None)
