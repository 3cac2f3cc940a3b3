"""Endpoints and deliveries as the contract types them, and registrations from its requests. Secrets go one way only."""

from datetime import datetime
from typing import Any

from lodestream import wire
from lodestream.v1 import common_pb2, operation_pb2, webhook_pb2
from lodestream_server.delivery.attempts import Attempt, Delivery, Standing
from lodestream_server.delivery.endpoints import (
    Authentication,
    Endpoint,
    Registration,
    RetryPolicy,
    Stats,
    Status,
    Wishes,
)
from lodestream_server.delivery.posting import Answer
from lodestream_server.delivery.subscriptions import CallbackCounts
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.values import duration, seconds, timestamp
from lodestream_server.runs.states import Priority

_pb = webhook_pb2
_STATUSES = {
    Status.ACTIVE: _pb.ENDPOINT_STATUS_ACTIVE,
    Status.DISABLED: _pb.ENDPOINT_STATUS_DISABLED,
    Status.EXPIRED: _pb.ENDPOINT_STATUS_EXPIRED,
    # Its run has ended, so its time is over.
    Status.DONE: _pb.ENDPOINT_STATUS_EXPIRED,
}
_STANDINGS: dict[Standing, _pb.DeliveryStatus.ValueType] = {
    "PENDING": _pb.DELIVERY_STATUS_PENDING,
    "DELIVERED": _pb.DELIVERY_STATUS_DELIVERED,
    "FAILED": _pb.DELIVERY_STATUS_FAILED,
}
_AUTHENTICATIONS = {
    "hmac-sha256": _pb.ENDPOINT_AUTHENTICATION_TYPE_HMAC_SHA256,
    "bearer": _pb.ENDPOINT_AUTHENTICATION_TYPE_BEARER,
}


def webhook_registration(request: _pb.RegisterWebhookRequest, defaults: RetryPolicy) -> Registration:
    """What a RegisterWebhook asks for."""
    filters = request.filters
    step = filters.min_progress_increment if filters.HasField("min_progress_increment") else None
    return Registration(
        Wishes(
            tuple(wire.words(_pb.WebhookEvent.DESCRIPTOR, "en")[number] for number in dict.fromkeys(request.events)),
            types=tuple(
                words.type_word(common_pb2.OperationType.DESCRIPTOR, number)
                for number in dict.fromkeys(filters.operation_types)
            ),
            priorities=tuple(Priority(number) for number in dict.fromkeys(filters.priorities)),
            step=float(step or 1),
            registered_step=step,
        ),
        request.webhook_url,
        request.webhook_name,
        dict(request.headers),
        _authentication(request),
        _retry(request.retry_policy, defaults) if request.HasField("retry_policy") else None,
    )


def subscription_registration(request: _pb.SubscribeToJobRequest) -> Registration:
    """What a SubscribeToJob asks for."""
    filters = request.filters
    return Registration(
        Wishes(
            tuple(
                wire.words(_pb.SubscriptionEvent.DESCRIPTOR, "en")[number] for number in dict.fromkeys(request.events)
            ),
            step=float(filters.min_progress_increment or 1),
            debug=filters.include_debug_events,
            errors=filters.notify_on_errors,
        ),
        request.webhook_url,
        authentication=_authentication(request),
        served=request.subscription_type == _pb.SUBSCRIPTION_TYPE_WEBHOOK,
    )


def _authentication(request: Any) -> Authentication | None:
    if not request.HasField("authentication"):
        return None
    given = request.authentication
    if given.type == _pb.ENDPOINT_AUTHENTICATION_TYPE_BEARER:
        return Authentication("bearer", given.token)
    return Authentication("hmac-sha256", given.secret)


def _retry(given: common_pb2.RetryPolicy, defaults: RetryPolicy) -> RetryPolicy:
    return RetryPolicy(
        given.max_retries if given.HasField("max_retries") else defaults.max_retries,
        seconds(given.retry_delay) if given.HasField("retry_delay") else defaults.delay_s,
        given.backoff_multiplier if given.HasField("backoff_multiplier") else defaults.multiplier,
        seconds(given.max_delay) if given.HasField("max_delay") else defaults.max_delay_s,
    )


def as_registered_webhook(endpoint: Endpoint) -> _pb.RegisterWebhookResponse:
    """The webhook in the answer to its registration, and in lists."""
    return _pb.RegisterWebhookResponse(**_webhook(endpoint))


def as_webhook(endpoint: Endpoint, defaults: RetryPolicy) -> _pb.GetWebhookResponse:
    """The webhook by itself."""
    registration = endpoint.registration
    policy, authentication = registration.retry or defaults, registration.authentication
    return _pb.GetWebhookResponse(
        **_webhook(endpoint),
        authentication_type=_AUTHENTICATIONS[authentication.type] if authentication else None,
        retry_policy=common_pb2.RetryPolicy(
            max_retries=policy.max_retries,
            retry_delay=duration(policy.delay_s),
            backoff_multiplier=policy.multiplier,
            max_delay=duration(policy.max_delay_s),
        ),
    )


def _webhook(endpoint: Endpoint) -> dict[str, Any]:
    registration = endpoint.registration
    known = wire.numbers(_pb.WebhookEvent.DESCRIPTOR)
    return {
        "webhook_id": endpoint.endpoint_id,
        "webhook_url": registration.address,
        "webhook_name": registration.name or None,
        "status": _STATUSES[endpoint.status],
        "events_subscribed": [known[word] for word in registration.wishes.events],
        "filters": _filters(registration.wishes),
        "created_at": timestamp(endpoint.created),
        "last_delivery": timestamp(endpoint.stats.last_delivery),
        "delivery_stats": _stats(endpoint.stats),
    }


def _filters(wishes: Wishes) -> _pb.WebhookFilters | None:
    if not (wishes.types or wishes.priorities or wishes.registered_step):
        return None
    return _pb.WebhookFilters(
        operation_types=[words.operation_type(word) for word in wishes.types],
        priorities=[words.PRIORITIES[priority] for priority in wishes.priorities],
        min_progress_increment=wishes.registered_step,
    )


def _stats(stats: Stats) -> _pb.DeliveryStats:
    return _pb.DeliveryStats(
        total_deliveries=stats.begun,
        successful_deliveries=stats.delivered,
        failed_deliveries=stats.failed,
        average_response_time=duration(stats.mean_answer_s),
    )


def as_delivery(delivery: Delivery) -> _pb.Delivery:
    """A delivery with its attempts."""
    newest = delivery.newest
    due = newest.time if newest.outcome == "asked" else newest.next
    return _pb.Delivery(
        delivery_id=newest.delivery_id,
        event_type=newest.event,
        run_id=newest.run_id,
        status=_STANDINGS[delivery.standing],
        created_at=timestamp(newest.due),
        next_attempt_at=timestamp(due) if delivery.standing == "PENDING" else None,
        # Being asked for again is a row of the log, and no attempt.
        attempts=[_attempt(one) for one in delivery.attempts if one.ordinal],
    )


def standing_of(status: int) -> Standing | None:
    """The standing that a filter names; None for any."""
    return next((standing for standing, number in _STANDINGS.items() if number == status), None)


def _attempt(attempt: Attempt) -> _pb.Delivery.Attempt:
    return _pb.Delivery.Attempt(
        timestamp=timestamp(attempt.time),
        status_code=attempt.status_code,
        response_time=duration(attempt.took_s),
        error=attempt.error,
    )


def as_ping(answer: Answer) -> _pb.PingWebhookResponse:
    """What came back of a test."""
    return _pb.PingWebhookResponse(
        success=answer.well, status_code=answer.status, response_time=duration(answer.took_s), error=answer.error
    )


def as_subscription(endpoint: Endpoint, now: datetime) -> _pb.SubscribeToJobResponse:
    """A subscription as it stands now."""
    registration = endpoint.registration
    known = wire.numbers(_pb.SubscriptionEvent.DESCRIPTOR)
    called = registration.served
    return _pb.SubscribeToJobResponse(
        subscription_id=endpoint.endpoint_id,
        job_id=endpoint.run_id,
        subscription_type=_pb.SUBSCRIPTION_TYPE_WEBHOOK if called else _pb.SUBSCRIPTION_TYPE_WEBSOCKET,
        status=_STATUSES[endpoint.status_at(now)],
        webhook_url=registration.address or None,
        events_subscribed=[_pb.SubscriptionEvent.ValueType(known[word]) for word in registration.wishes.events],
        created_at=timestamp(endpoint.created),
        expires_at=timestamp(endpoint.expires),
    )


def as_callbacks(counts: CallbackCounts) -> operation_pb2.GetOperationResponse.Callbacks:
    """What became of an operation's callbacks, for its status answer."""
    return operation_pb2.GetOperationResponse.Callbacks(
        progress_callbacks_sent=counts.progress_sent,
        last_progress_callback=timestamp(counts.last_progress),
        callbacks_successful=counts.successful,
        callbacks_failed=counts.failed,
    )
