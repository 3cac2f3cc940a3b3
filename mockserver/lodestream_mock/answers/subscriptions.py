"""WebhookService, the subscriptions to one job, and the callbacks of operations."""

from lodestream import wire
from lodestream.errors import InvalidField, SubscriptionNotFound, Violation
from lodestream.v1 import webhook_pb2 as webhook
from lodestream.v1.webhook_pb2 import EndpointStatus, SubscriptionEvent, SubscriptionType
from lodestream_mock.answers.call import Call, answers
from lodestream_mock.answers.replay import echo, payload
from lodestream_mock.answers.unknown import missing, run_of
from lodestream_mock.answers.webhooks import courier_of
from lodestream_mock.delivery.endpoint import CALLBACK_EVENTS, JOB_EVENTS, Endpoint
from lodestream_mock.play import typed
from lodestream_mock.play.run import Run

#: As in the documented example: from 10:45:33 to 18:45:33.
_EXPIRES = 8 * 3_600_000


def shelf(call: Call) -> dict[str, webhook.SubscribeToJobResponse]:
    """The session's subscriptions; a pinned scenario has the documented one from the start."""
    found = call.session.shelf("subscription")
    if call.session.scenario.pinned and not call.session.counters.get("subscription-shelf"):
        call.session.count("subscription-shelf")
        provenance = call.provenance
        first = payload(call, "subscribe-to-job.response", webhook.SubscribeToJobResponse)
        call.provenance = provenance
        found.setdefault(first.subscription_id, first)
    return found


@answers("SubscribeToJob")
def subscribe_to_job(call: Call, request: webhook.SubscribeToJobRequest) -> webhook.SubscribeToJobResponse:
    """The first one has the documented id. Raises InvalidField for a webhook without an address."""
    session = call.session
    run = run_of(call, request.job_id)
    over_web_socket = request.subscription_type == SubscriptionType.SUBSCRIPTION_TYPE_WEBSOCKET
    if not over_web_socket and not request.webhook_url:
        raise InvalidField.of(Violation("webhook_url", "is required for subscriptionType webhook; give it a value"))
    there = shelf(call)
    subscription_id, number = session.new_id("subscription")
    if session.pinned and number == 1 and not over_web_socket:
        out = payload(call, "subscribe-to-job.response", webhook.SubscribeToJobResponse)
    else:
        out = webhook.SubscribeToJobResponse(
            status=EndpointStatus.ENDPOINT_STATUS_ACTIVE,
            created_at=typed.instant(session.epoch_ms),
            expires_at=typed.instant(session.epoch_ms + _EXPIRES),
        )
    out.subscription_id = subscription_id
    echo(request, out)
    del out.events_subscribed[:]
    out.events_subscribed.extend(request.events)
    there.pop(subscription_id, None)
    there[subscription_id] = out
    if not over_web_socket and (courier := courier_of(call)):
        courier.add(_endpoint(call, subscription_id, run, request))
    return webhook.SubscribeToJobResponse.FromString(out.SerializeToString())


def _endpoint(call: Call, subscription_id: str, run: Run, request: webhook.SubscribeToJobRequest) -> Endpoint:
    events = {wire.words(SubscriptionEvent.DESCRIPTOR, "en")[event] for event in request.events}
    if request.filters.notify_on_errors:
        events.add("error")
    return Endpoint(
        endpoint_id=subscription_id,
        url=request.webhook_url,
        told=JOB_EVENTS,
        since=call.session.now_ms,
        events=frozenset(events),
        run_id=run.run_id,
        min_increment=request.filters.min_progress_increment,
        until=call.session.now_ms + _EXPIRES,
        secret=request.authentication.secret,
        token=request.authentication.token,
    )


def add_callbacks(call: Call, run: Run) -> None:
    """Has the callbacks of an operation called."""
    courier = courier_of(call)
    for name, url in run.callbacks.items() if courier else ():
        endpoint = Endpoint(
            endpoint_id=f"{run.run_id}/{name}",
            url=url,
            told=CALLBACK_EVENTS,
            since=call.session.now_ms,
            events=frozenset({name}),
            run_id=run.run_id,
        )
        if courier:
            courier.add(endpoint)


@answers("ListSubscriptions")
def list_subscriptions(call: Call, request: webhook.ListSubscriptionsRequest) -> webhook.ListSubscriptionsResponse:
    """Newest first."""
    run = run_of(call, request.job_id)
    found = [entry for entry in reversed(shelf(call).values()) if entry.job_id == run.run_id]
    return webhook.ListSubscriptionsResponse(subscriptions=found)


@answers("DeleteSubscription")
def delete_subscription(call: Call, request: webhook.DeleteSubscriptionRequest) -> webhook.DeleteSubscriptionResponse:
    """Raises SubscriptionNotFound, also when repeated."""
    run = run_of(call, request.job_id)
    found = shelf(call)
    if request.subscription_id not in found or found[request.subscription_id].job_id != run.run_id:
        known = [key for key, entry in found.items() if entry.job_id == run.run_id]
        raise missing(call, SubscriptionNotFound, request.subscription_id, known, "subscription to this job")
    del found[request.subscription_id]
    if courier := courier_of(call):
        courier.remove(request.subscription_id)
    return webhook.DeleteSubscriptionResponse(subscription_id=request.subscription_id)
