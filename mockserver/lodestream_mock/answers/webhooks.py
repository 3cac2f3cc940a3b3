"""WebhookService, the webhooks of a project: registered, listed, really called."""

from dataclasses import replace
from typing import Any

from lodestream import wire
from lodestream.errors import DeliveryNotFound, WebhookNotFound
from lodestream.v1 import webhook_pb2 as webhook
from lodestream.v1.common_pb2 import OperationType, Priority
from lodestream.v1.webhook_pb2 import DeliveryStatus, WebhookEvent
from lodestream_mock.answers.call import Call, answers
from lodestream_mock.answers.filters import slim_page
from lodestream_mock.answers.replay import echo, payload
from lodestream_mock.answers.unknown import missing
from lodestream_mock.delivery.courier import Courier, Delivery
from lodestream_mock.delivery.endpoint import OPERATION_EVENTS, Endpoint, Retries
from lodestream_mock.play import typed
from lodestream_mock.session.ids import made_id

_DAY = 86_400_000


def shelf(call: Call) -> dict[str, webhook.RegisterWebhookResponse]:
    """The session's webhooks; a pinned scenario has the documented one from the start."""
    found = call.session.shelf("webhook")
    if call.session.scenario.pinned and not call.session.counters.get("webhook-shelf"):
        call.session.count("webhook-shelf")
        provenance = call.provenance
        first = payload(call, "register-webhook.response", webhook.RegisterWebhookResponse)
        call.provenance = provenance
        found.setdefault(first.webhook_id, first)
    return found


@answers("RegisterWebhook")
def register_webhook(call: Call, request: webhook.RegisterWebhookRequest) -> webhook.RegisterWebhookResponse:
    """The first one has the documented id."""
    wire.with_defaults(request)
    session = call.session
    there = shelf(call)
    webhook_id, number = session.new_id("webhook")
    out = payload(call, "register-webhook.response", webhook.RegisterWebhookResponse)
    if not (session.pinned and number == 1):
        call.derived("register-webhook.response")
        out.created_at.CopyFrom(typed.instant(session.epoch_ms))
    out.webhook_id = webhook_id
    out.ClearField("filters")
    echo(request, out)
    del out.events_subscribed[:]
    out.events_subscribed.extend(request.events)
    there.pop(webhook_id, None)
    there[webhook_id] = out
    session.shelf("webhook-policy")[webhook_id] = request.retry_policy.SerializeToString()
    session.shelf("webhook-authentication")[webhook_id] = request.authentication.type
    if courier := courier_of(call):
        courier.add(_endpoint(call, webhook_id, request))
    return webhook.RegisterWebhookResponse.FromString(out.SerializeToString())


def courier_of(call: Call) -> Courier | None:
    """The session's courier; none in a dry run."""
    found: Courier | None = call.session.courier
    return found


def _endpoint(call: Call, webhook_id: str, request: webhook.RegisterWebhookRequest) -> Endpoint:
    return Endpoint(
        endpoint_id=webhook_id,
        url=request.webhook_url,
        told=OPERATION_EVENTS,
        since=call.session.now_ms,
        events=frozenset(wire.words(WebhookEvent.DESCRIPTOR, "en")[event] for event in request.events),
        types=frozenset(wire.words(OperationType.DESCRIPTOR, "en")[t] for t in request.filters.operation_types),
        priorities=frozenset(wire.words(Priority.DESCRIPTOR, "en")[p] for p in request.filters.priorities),
        min_increment=request.filters.min_progress_increment,
        secret=request.authentication.secret,
        token=request.authentication.token,
        headers=dict(request.headers),
        retries=retries_of(request),
    )


def retries_of(request: Any) -> Retries:
    """The retry policy of a registration, or the usual one."""
    if not request.HasField("retry_policy"):
        return Retries()
    policy, usual = request.retry_policy, Retries()
    return Retries(
        most=policy.max_retries if policy.HasField("max_retries") else usual.most,
        delay=policy.retry_delay.seconds * 1000 if policy.HasField("retry_delay") else usual.delay,
        multiplier=policy.backoff_multiplier if policy.HasField("backoff_multiplier") else usual.multiplier,
        longest=policy.max_delay.seconds * 1000 if policy.HasField("max_delay") else usual.longest,
    )


def _current(call: Call, webhook_id: str) -> webhook.RegisterWebhookResponse:
    """A webhook with what became of its deliveries. Raises WebhookNotFound."""
    found = shelf(call).get(webhook_id)
    if found is None:
        raise missing(call, WebhookNotFound, webhook_id, list(shelf(call)), "webhook")
    out = webhook.RegisterWebhookResponse.FromString(found.SerializeToString())
    courier = courier_of(call)
    done = [d for d in courier.of_endpoint(webhook_id) if d.attempts] if courier else []
    if done:
        out.delivery_stats.total_deliveries = len(done)
        out.delivery_stats.successful_deliveries = sum(1 for d in done if d.success)
        out.delivery_stats.failed_deliveries = sum(1 for d in done if not d.success and d.next_at is None)
        arrived = [d for d in done if d.success]
        if arrived:
            last = max(d.attempts[-1].at for d in arrived)
            out.last_delivery.CopyFrom(typed.instant(call.session.scenario.now + last))
            out.delivery_stats.average_response_time.CopyFrom(typed.duration(0))
    return out


@answers("ListWebhooks")
def list_webhooks(call: Call, request: webhook.ListWebhooksRequest) -> webhook.ListWebhooksResponse:
    """Newest first."""
    entries = [_current(call, webhook_id) for webhook_id in reversed(shelf(call))]
    shown, token = slim_page(entries, request)
    return webhook.ListWebhooksResponse(webhooks=shown, next_page_token=token or None)


@answers("GetWebhook")
def get_webhook(call: Call, request: webhook.GetWebhookRequest) -> webhook.GetWebhookResponse:
    """Raises WebhookNotFound."""
    found = _current(call, request.webhook_id)
    # Both answers share their first nine fields, numbers included.
    out: webhook.GetWebhookResponse = webhook.GetWebhookResponse.FromString(found.SerializeToString())
    if policy := call.session.shelf("webhook-policy").get(request.webhook_id):
        out.retry_policy.MergeFromString(policy)
    if kind := call.session.shelf("webhook-authentication").get(request.webhook_id):
        out.authentication_type = kind
    return out


@answers("DeleteWebhook")
def delete_webhook(call: Call, request: webhook.DeleteWebhookRequest) -> webhook.DeleteWebhookResponse:
    """Raises WebhookNotFound, also when repeated."""
    _current(call, request.webhook_id)
    del shelf(call)[request.webhook_id]
    if courier := courier_of(call):
        courier.remove(request.webhook_id)
    return webhook.DeleteWebhookResponse(webhook_id=request.webhook_id)


@answers("ListDeliveries")
def list_deliveries(call: Call, request: webhook.ListDeliveriesRequest) -> webhook.ListDeliveriesResponse:
    """Newest first."""
    _current(call, request.webhook_id)
    courier = courier_of(call)
    found = [as_delivery(call, d) for d in courier.of_endpoint(request.webhook_id)] if courier else []
    if request.status:
        found = [entry for entry in found if entry.status == request.status]
    shown, token = slim_page(found, request)
    return webhook.ListDeliveriesResponse(deliveries=shown, next_page_token=token or None)


def as_delivery(call: Call, delivery: Delivery) -> webhook.Delivery:
    """A delivery with its attempts, on the virtual clock."""
    now = call.session.scenario.now
    status = DeliveryStatus.DELIVERY_STATUS_DELIVERED if delivery.success else DeliveryStatus.DELIVERY_STATUS_FAILED
    out = webhook.Delivery(
        delivery_id=delivery.delivery_id,
        event_type=delivery.event,
        run_id=delivery.run_id,
        status=status if delivery.next_at is None else DeliveryStatus.DELIVERY_STATUS_PENDING,
        created_at=typed.instant(now + delivery.created_at),
    )
    if delivery.next_at is not None:
        out.next_attempt_at.CopyFrom(typed.instant(now + delivery.next_at))
    for attempt in delivery.attempts:
        out.attempts.add(
            timestamp=typed.instant(now + attempt.at),
            status_code=attempt.outcome.status,
            response_time=typed.duration(0),
            error=attempt.outcome.error or None,
        )
    return out


@answers("RedeliverDelivery")
def redeliver(call: Call, request: webhook.RedeliverDeliveryRequest) -> webhook.RedeliverDeliveryResponse:
    """Raises WebhookNotFound, DeliveryNotFound."""
    _current(call, request.webhook_id)
    courier = courier_of(call)
    found = {d.delivery_id: d for d in courier.of_endpoint(request.webhook_id)} if courier else {}
    delivery = found.get(request.delivery_id)
    if delivery is None or courier is None:
        raise missing(call, DeliveryNotFound, request.delivery_id, list(found), "delivery")
    courier.again(delivery)
    return webhook.RedeliverDeliveryResponse(delivery=as_delivery(call, delivery))


@answers("PingWebhook")
async def ping_webhook(call: Call, request: webhook.PingWebhookRequest) -> webhook.PingWebhookResponse:
    """Posts a test event and tells what came back."""
    _current(call, request.webhook_id)
    courier = courier_of(call)
    endpoint = courier.endpoints.get(request.webhook_id) if courier else None
    if courier is None or endpoint is None:
        return webhook.PingWebhookResponse(success=False, error="not sent: register the webhook in this session first")
    outcome = await courier.ping(endpoint)
    return webhook.PingWebhookResponse(
        success=outcome.success,
        status_code=outcome.status,
        response_time=typed.duration(0),
        error=outcome.error or None,
    )


@answers("RotateWebhookSecret")
def rotate_secret(call: Call, request: webhook.RotateWebhookSecretRequest) -> webhook.RotateWebhookSecretResponse:
    """From now on deliveries are signed with the new secret."""
    _current(call, request.webhook_id)
    secret = request.secret or f"whsec_{made_id('secret', call.session.settings.seed, call.session.count('secret'))}"
    courier = courier_of(call)
    if courier and request.webhook_id in courier.endpoints:
        courier.endpoints[request.webhook_id] = replace(courier.endpoints[request.webhook_id], secret=secret)
    return webhook.RotateWebhookSecretResponse(
        webhook_id=request.webhook_id,
        secret=None if request.secret else secret,
        previous_valid_until=typed.instant(call.session.epoch_ms + _DAY),
    )
