"""Webhooks, callbacks and subscriptions are really posted, signed, in the order of the virtual clock."""

import asyncio
import base64
import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from lodestream_mock.delivery.courier import Courier
from lodestream_mock.delivery.post import Post

from lodestream import wire
from lodestream.v1.webhook_pb2 import DeliveryPayload
from tests.mock.world import World, documented_body, request_of

HOUR = 3_600_000


@dataclass
class Received:
    """One call."""

    headers: dict[str, str]
    body: bytes

    @property
    def document(self):
        """Its JSON."""
        return json.loads(self.body)

    @property
    def event(self):
        """What it tells."""
        return self.document["event"]


@dataclass
class Receiver:
    """An HTTP server on the loopback; `answers` are the statuses of the first calls, 204 then."""

    url: str = ""
    calls: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def serve(self, reader, writer):
        """Takes one call."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head.split("\r\n")[1:] if line)}
        self.calls.append(Received(headers, await reader.readexactly(int(headers["content-length"]))))
        status = self.answers.pop(0) if self.answers else 204
        writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving(*answers):
    """A receiver that listens."""
    receiver = Receiver(answers=list(answers))
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server:
        yield receiver


def world_with_courier(scenario="operation-lifecycle"):
    """A world whose sessions post."""
    world = World(scenario=scenario, clock="frozen")
    world.session.courier = Courier(world.session, Post())
    return world


async def registered(world, receiver, **changes):
    """A webhook of the session."""
    body = documented_body("RegisterWebhook", "en") | {"webhookUrl": receiver.url} | changes
    return await world.call("RegisterWebhook", request_of("RegisterWebhook", body))


async def started(world, **changes):
    """An operation of the session, without callbacks unless they are given."""
    body = documented_body("StartOperation", "en")
    del body["callbacks"]
    return await world.call("StartOperation", request_of("StartOperation", body | changes))


async def moved(world, to_ms):
    """The clock moves, and everything due is posted."""
    world.session.clock.move_to(to_ms)
    await world.session.settled()


async def test_a_webhook_hears_the_life_of_an_operation_in_order():
    """With the events and the least increment that it asked for."""
    async with receiving() as receiver:
        world = world_with_courier()
        await registered(world, receiver)
        await started(world)
        await moved(world, 2 * HOUR)
        await world.session.courier.close()
    events = [call.event for call in receiver.calls]
    assert (events[0], events[-1]) == ("operation.started", "operation.completed")
    assert events.count("operation.phase.completed") == 4
    times = [call.document["timestamp"] for call in receiver.calls]
    assert times == sorted(times)
    percents = [call.document["progress"] for call in receiver.calls if call.event == "operation.progress"]
    assert all(later - earlier >= 10 for earlier, later in pairwise(percents))


async def test_a_delivery_is_a_payload_of_the_contract_and_its_token_goes_on_after_it():
    """Read strictly; WatchOperation takes the token."""
    async with receiving() as receiver:
        world = world_with_courier()
        await registered(world, receiver)
        operation = await started(world)
        await moved(world, 2 * HOUR)
        await world.session.courier.close()
    payload = wire.from_json(receiver.calls[0].body, DeliveryPayload)
    assert (payload.operation_id, payload.status, payload.data.attempt) == (operation.operation_id, "Running", 1)
    frames = await world.frames("WatchOperation", resume_token=payload.resume_token)
    first = next(frame for frame in frames if frame.HasField("events")).events.events[0]
    assert first.sequence == 4


@pytest.mark.parametrize("mode", ["", "bad-signature"])
async def test_a_delivery_is_signed_as_standard_webhooks_ask(mode):
    """HMAC-SHA256 over id, timestamp and body with the secret's bytes; in bad-signature mode it does not verify."""
    async with receiving() as receiver:
        world = world_with_courier()
        world.session.courier.modes = frozenset({mode})
        await registered(world, receiver)
        await started(world)
        await moved(world, 4 * 60_000)
        await world.session.courier.close()
    call = receiver.calls[0]
    message = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.body
    digest = hmac.digest(b"your-webhook-secret-key", message, hashlib.sha256)
    good = call.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert good is (mode == "")
    assert call.headers["x-source"] == "mindzie-api"


async def test_a_failed_delivery_is_tried_again_by_the_registered_policy_on_the_virtual_clock():
    """60 s, then 120 s; the delivery log tells it, and no real second passes."""
    async with receiving(500, 503) as receiver:
        world = world_with_courier()
        await registered(world, receiver, events=["operation.started"])
        await started(world)
        await moved(world, 3 * 60_000)
        assert len(receiver.calls) == 1
        await moved(world, 4 * 60_000)
        assert len(receiver.calls) == 2
        await moved(world, 6 * 60_000)
        await world.session.courier.close()
    log = (await world.call("ListDeliveries")).deliveries[0]
    assert [attempt.status_code for attempt in log.attempts] == [500, 503, 204]
    assert [a.timestamp.seconds - log.created_at.seconds for a in log.attempts] == [0, 60, 180]
    assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1
    stats = (await world.call("GetWebhook")).delivery_stats
    assert (stats.total_deliveries, stats.successful_deliveries) == (1, 1)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("duplicate", ["operation.started", "operation.started", "operation.completed", "operation.completed"]),
        ("out-of-order", ["operation.completed", "operation.started"]),
    ],
)
async def test_deliveries_can_be_made_to_misbehave(mode, expected):
    """Each told twice, or in pairs turned round."""
    async with receiving() as receiver:
        world = world_with_courier()
        world.session.courier.modes = frozenset({mode})
        await registered(world, receiver, events=["operation.started", "operation.completed"])
        await started(world)
        await moved(world, 2 * HOUR)
        await world.session.courier.close()
    assert [call.event for call in receiver.calls] == expected


async def test_callbacks_of_an_operation_are_called():
    """Progress, and the end; each at its own address."""
    async with receiving() as receiver:
        world = world_with_courier()
        callbacks = {"onProgress": f"{receiver.url}/progress", "onCompletion": f"{receiver.url}/end"}
        await started(world, callbacks=callbacks)
        await moved(world, 2 * HOUR)
        await world.session.courier.close()
    assert {call.event for call in receiver.calls} == {"operation.progress", "operation.completed"}
    assert receiver.calls[-1].event == "operation.completed"


async def test_a_subscriber_hears_the_stages_of_its_job():
    """With its bearer token."""
    async with receiving() as receiver:
        world = world_with_courier("job-lifecycle")
        body = documented_body("SubscribeToJob", "en") | {"webhookUrl": receiver.url}
        await world.call("SubscribeToJob", request_of("SubscribeToJob", body))
        await moved(world, 2 * HOUR)
        await world.session.courier.close()
    assert receiver.calls[0].headers["authorization"] == "Bearer your-webhook-auth-token"
    assert [call.event for call in receiver.calls].count("stageCompleted") == 4
    assert receiver.calls[-1].event == "jobCompleted"


async def test_only_loopback_addresses_are_called():
    """Others are noted as not sent, with the option that allows them."""
    world = world_with_courier()
    await world.call("RegisterWebhook", request_of("RegisterWebhook", documented_body("RegisterWebhook", "en")))
    await started(world)
    await moved(world, 4 * 60_000)
    await world.session.courier.close()
    delivery = (await world.call("ListDeliveries")).deliveries[0]
    assert "only loopback addresses are called; --allow-host your-app.com" in delivery.attempts[0].error
    assert not delivery.HasField("next_attempt_at")


async def test_a_ping_tells_what_came_back_and_a_new_secret_signs_from_then_on():
    """Now, outside the order of the clock."""
    async with receiving(418) as receiver:
        world = world_with_courier()
        await registered(world, receiver)
        assert (await world.call("PingWebhook")).status_code == 418
        rotated = await world.call("RotateWebhookSecret")
        assert (await world.call("PingWebhook")).success
        await world.session.courier.close()
    last = receiver.calls[-1]
    message = f"{last.headers['webhook-id']}.{last.headers['webhook-timestamp']}.".encode() + last.body
    digest = hmac.digest(rotated.secret.encode(), message, hashlib.sha256)
    assert last.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
