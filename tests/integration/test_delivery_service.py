"""The webhook service over gRPC: documented requests in, documented answers out, nothing secret in any of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from lodestream_server.delivery.delivery import Delivery
from lodestream_server.engine.engine import Engine
from lodestream_server.grpc_door.guard import Guard
from lodestream_server.runs.states import RunKind
from lodestream_server.services.operations import OperationService
from lodestream_server.services.results import Results
from lodestream_server.services.run_tokens import run_tokens
from lodestream_server.services.watching import Pace, RunWatcher, Streams
from lodestream_server.services.webhooks import WebhookService

from lodestream import documented, wire
from lodestream.rich_status import from_call
from lodestream.v1 import operation_pb2, operation_pb2_grpc, webhook_pb2, webhook_pb2_grpc
from tests.integration.delivery_world import Receiver, eventually, receiving, settings
from tests.integration.engine_world import SCOPE, appears, engine_at, job
from tests.integration.store_world import Announcements

NOBODY = "wh-00000000-0000-7000-8000-000000000000"
PROJECT = {"tenant_id": SCOPE.tenant_id, "project_id": SCOPE.project_id}


@dataclass(frozen=True, slots=True)
class Served:
    """A server with the webhook and the operation service behind the guard."""

    engine: Engine
    hooks: Any
    operations: Any
    metadata: tuple[tuple[str, str], ...]

    async def hook(self, name: str, **fields: Any) -> Any:
        """Calls the webhook service."""
        request = getattr(webhook_pb2, f"{name}Request")(**PROJECT, **fields)
        return await getattr(self.hooks, name)(request, metadata=self.metadata)


@asynccontextmanager
async def serving(data_dir: Path) -> AsyncIterator[Served]:
    """Until the context ends."""
    async with engine_at(data_dir) as engine:
        delivery = Delivery(
            engine.store, run_tokens(engine.store_id), clock=engine.clock, ids=engine.ids, settings=settings()
        )
        await delivery.start()
        server = grpc.aio.server(interceptors=[Guard(engine.keys)])
        streams = Streams()
        operations = OperationService(
            engine,
            RunWatcher(engine, streams, Pace()),
            Results(engine, lambda resources, seconds: None),
            delivery.subscriptions.callbacks,
        )
        webhook_pb2_grpc.add_WebhookServiceServicer_to_server(WebhookService(engine, delivery), server)
        operation_pb2_grpc.add_OperationServiceServicer_to_server(operations, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        _, token = await engine.keys.create(name="ann", role="admin")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Served(
                engine,
                webhook_pb2_grpc.WebhookServiceStub(channel),
                operation_pb2_grpc.OperationServiceStub(channel),
                (("authorization", f"Bearer {token}"),),
            )
        streams.end_all()
        await server.stop(None)
        await delivery.close()


async def _registered(served: Served, url: str, **changes: Any) -> Any:
    given = {**documented.example("register-webhook.request"), "webhookUrl": url, **changes}
    request = wire.from_json(given, webhook_pb2.RegisterWebhookRequest)
    request.tenant_id, request.project_id = SCOPE.tenant_id, SCOPE.project_id
    return await served.hooks.RegisterWebhook(request, metadata=served.metadata)


async def test_the_documented_registration_is_answered_as_documented(tmp_path):
    """Every key of the page, with a webhook's own id and time."""
    async with serving(tmp_path) as served:
        answer = await _registered(served, "https://your-app.com/webhooks/async-operations")
        shown = wire.to_dict(answer)
        found = wire.to_dict(await served.hook("GetWebhook", webhook_id=answer.webhook_id))
        listed = await served.hook("ListWebhooks")
    page = documented.example("register-webhook.response")
    for moving in ("webhookId", "createdAt"):
        assert shown[moving].startswith(page[moving][:3])
        del shown[moving], page[moving], found[moving]
    assert shown == page
    assert list(shown) == list(page)
    assert found["retryPolicy"] == documented.example("register-webhook.request")["retryPolicy"]
    assert found["authenticationType"] == "hmac-sha256"
    assert [one.webhook_id for one in listed.webhooks] == [answer.webhook_id]


async def test_no_answer_holds_a_secret(tmp_path):
    """Not the registered one, not a chosen new one, not the custom headers; a made one is shown once."""
    async with receiving() as receiver, serving(tmp_path) as served:
        headers = {"X-Key": "hidden-header-value"}
        made = await _registered(served, receiver.url(), headers=headers)
        which = {"webhook_id": made.webhook_id}
        answers = [
            made,
            await served.hook("GetWebhook", **which),
            await served.hook("ListWebhooks"),
            await served.hook("PingWebhook", **which),
            await served.hook("RotateWebhookSecret", **which, secret="hidden-chosen-secret"),
            await served.hook("ListDeliveries", **which),
        ]
        first = await served.hook("RotateWebhookSecret", **which)
    text = " ".join(map(repr, answers))
    assert len(first.secret) >= 32
    assert not any(word in text for word in ("your-webhook-secret-key", "hidden-header-value", "hidden-chosen-secret"))


async def test_a_payload_carries_the_token_with_which_the_stream_goes_on(tmp_path):
    """A receiver that was told one event and missed the rest gets the rest, and only that, by WatchOperation."""
    gate = tmp_path / "gate"
    async with receiving() as receiver, serving(tmp_path / "data") as served:
        await _registered(served, receiver.url(), filters={}, events=["operation.phase.completed"])
        run = (
            await served.engine.submit(
                job("Wait", kind=RunKind.OPERATION, gate=gate, ledger=tmp_path / "ledger", begun=tmp_path / "begun")
            )
        ).run
        await receiver.until(lambda r: len(r.got) == 1)
        told = receiver.got[0].said
        asked = operation_pb2.GetOperationRequest(**PROJECT, operation_id=run.run_id)
        gate.touch()
        frames = [
            frame
            async for frame in served.operations.WatchOperation(
                operation_pb2.WatchOperationRequest(request=asked, resume_token=told["resumeToken"]),
                metadata=served.metadata,
            )
        ]
    kinds = [frame.WhichOneof("frame") for frame in frames]
    assert kinds[0] == "events"
    assert kinds[-1] == "done"
    assert "reset" not in kinds
    heard = [event.sequence for frame in frames for event in frame.events.events]
    assert heard == list(range(heard[0], heard[0] + len(heard)))
    assert frames[0].events.events[0].WhichOneof("body") != "phase_completed"


async def test_the_delivery_log_and_sending_again_over_grpc(tmp_path):
    """What was given up can be sent again; filters by standing work."""
    ready: list[bool] = []
    async with receiving(lambda _: 200 if ready else 503) as receiver, serving(tmp_path) as served:
        made = await _registered(
            served,
            receiver.url(),
            filters={},
            events=["operation.completed"],
            retryPolicy={"maxRetries": 1, "retryDelay": 0},
        )
        await served.engine.submit(job("Count", kind=RunKind.OPERATION, records=10))

        async def failed():
            found = await served.hook(
                "ListDeliveries", webhook_id=made.webhook_id, status=webhook_pb2.DELIVERY_STATUS_FAILED
            )
            return list(found.deliveries)

        (delivery,) = await eventually(failed)
        assert [one.status_code for one in delivery.attempts] == [503, 503]
        ready.append(True)
        which = {"webhook_id": made.webhook_id, "delivery_id": delivery.delivery_id}
        again = (await served.hook("RedeliverDelivery", **which)).delivery
        assert again.status == webhook_pb2.DELIVERY_STATUS_PENDING
        assert again.HasField("next_attempt_at")
        await receiver.until(lambda r: bool(r.taken))
        assert receiver.taken[0].id == delivery.delivery_id


async def test_what_was_given_up_a_moment_ago_is_sent_again(tmp_path):
    """Also while the courier has not heard yet that its last attempt is written down."""
    announcements: list[Announcements] = []

    def answer(_: Any) -> int:
        if announcements:
            return 200
        announcements.append(Announcements(served.engine.store))
        announcements[0].hold()
        return 503

    async with receiving(answer) as receiver, serving(tmp_path) as served:
        policy = {"maxRetries": 0, "retryDelay": 0}
        made = await _registered(served, receiver.url(), filters={}, events=["operation.completed"], retryPolicy=policy)
        await served.engine.submit(job("Count", kind=RunKind.OPERATION, records=10))

        async def listed(status: Any):
            found = await served.hook("ListDeliveries", webhook_id=made.webhook_id, status=status)
            return list(found.deliveries)

        (delivery,) = await eventually(lambda: listed(webhook_pb2.DELIVERY_STATUS_FAILED))
        which = {"webhook_id": made.webhook_id, "delivery_id": delivery.delivery_id}
        again = asyncio.create_task(served.hook("RedeliverDelivery", **which))
        await eventually(lambda: listed(webhook_pb2.DELIVERY_STATUS_PENDING))
        announcements[0].release()
        assert (await again).delivery.status == webhook_pb2.DELIVERY_STATUS_PENDING
        await receiver.until(lambda r: bool(r.taken))


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("GetWebhook", {"webhook_id": NOBODY}, "WEBHOOK_NOT_FOUND"),
        ("DeleteWebhook", {"webhook_id": NOBODY}, "WEBHOOK_NOT_FOUND"),
        ("PingWebhook", {"webhook_id": NOBODY}, "WEBHOOK_NOT_FOUND"),
        ("RotateWebhookSecret", {"webhook_id": NOBODY}, "WEBHOOK_NOT_FOUND"),
        ("ListDeliveries", {"webhook_id": NOBODY}, "WEBHOOK_NOT_FOUND"),
        ("RedeliverDelivery", {"webhook_id": NOBODY, "delivery_id": "dlv-1"}, "WEBHOOK_NOT_FOUND"),
        ("ListSubscriptions", {"job_id": "none"}, "RUN_NOT_FOUND"),
        ("DeleteSubscription", {"job_id": "none", "subscription_id": "sub-1"}, "RUN_NOT_FOUND"),
        ("RegisterWebhook", {"webhook_url": "http://a:b@c/", "events": [1]}, "INVALID_FIELD"),
        ("RegisterWebhook", {"webhook_url": "not an address", "events": [1]}, "INVALID_FIELD"),
        ("RegisterWebhook", {"webhook_url": "http://example.org/"}, "INVALID_FIELD"),
    ],
)
async def test_refusals_carry_their_reason(tmp_path, name, fields, reason):
    """As the contract names it."""
    async with serving(tmp_path) as served:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await served.hook(name, **fields)
    error = from_call(refused.value)
    assert error is not None
    assert error.reason == reason


async def test_a_documented_subscription_is_answered_as_documented_and_hears_its_job(tmp_path):
    """Eight hours long, with the documented keys in their order; a second call makes a second one."""
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    async with receiving() as receiver, serving(tmp_path / "data") as served:
        run = (await served.engine.submit(job("Wait", begun=begun, gate=gate, ledger=tmp_path / "ledger"))).run
        await appears(begun)
        given = {**documented.example("subscribe-to-job.request"), "webhookUrl": receiver.url("/job")}
        request = wire.from_json(given, webhook_pb2.SubscribeToJobRequest)
        request.tenant_id, request.project_id, request.job_id = *PROJECT.values(), run.run_id
        answer = await served.hooks.SubscribeToJob(request, metadata=served.metadata)
        second = await served.hooks.SubscribeToJob(request, metadata=served.metadata)
        listed = await served.hook("ListSubscriptions", job_id=run.run_id)
        await served.hook("DeleteSubscription", job_id=run.run_id, subscription_id=second.subscription_id)
        gate.touch()
        await receiver.until(_ended)
    page = documented.example("subscribe-to-job.response")
    shown = wire.to_dict(answer)
    assert list(shown) == list(page)
    assert shown["eventsSubscribed"] == page["eventsSubscribed"]
    assert (answer.expires_at.seconds - answer.created_at.seconds) == 8 * 3600
    ids = [one.subscription_id for one in listed.subscriptions]
    assert ids == [second.subscription_id, answer.subscription_id]
    assert receiver.got[-1].said["status"] == "Completed"
    assert len({one.id for one in receiver.got}) == len(receiver.got)


async def test_a_subscription_over_websocket_is_kept_and_its_address_left_to_the_door(tmp_path):
    """No address to call is asked for; it is listed until it is ended."""
    async with serving(tmp_path / "data") as served:
        run = (await served.engine.submit(job("Count", records=10))).run
        made = await served.hook(
            "SubscribeToJob",
            job_id=run.run_id,
            subscription_type=webhook_pb2.SUBSCRIPTION_TYPE_WEBSOCKET,
            events=[webhook_pb2.SUBSCRIPTION_EVENT_JOB_COMPLETED],
        )
        (listed,) = (await served.hook("ListSubscriptions", job_id=run.run_id)).subscriptions
    assert not made.HasField("websocket_url")
    assert listed.subscription_type == webhook_pb2.SUBSCRIPTION_TYPE_WEBSOCKET
    assert listed.status == webhook_pb2.ENDPOINT_STATUS_ACTIVE


def _ended(receiver: Receiver) -> bool:
    return bool(receiver.got) and receiver.got[-1].said["event"] == "jobCompleted"
