"""A subscription over WebSocket: a ticket in the address, the subscribed events in frames, and `?after=` to go on."""

import asyncio
import json
import secrets
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from grpc import StatusCode
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from lodestream.local_channel import LocalChannel
from lodestream.rest.app import Facade
from lodestream.rest.serving import RestServer
from lodestream.rest.sockets import TICKET_S, Tickets
from lodestream.v1 import common_pb2, event_pb2, job_pb2, job_pb2_grpc, webhook_pb2, webhook_pb2_grpc
from tests.integration.rest_world import EXECUTION

Frame = job_pb2.WatchJobResponse
E = event_pb2.RunEvent
SUBSCRIBE = f"{EXECUTION}/job/j-1/subscribe"
BODY = {"subscriptionType": "websocket", "events": ["stageStarted", "jobCompleted"]}
KEY = {"authorization": "Bearer mine"}


class Webhooks(webhook_pb2_grpc.WebhookServiceServicer):
    """One subscription to one job, until it expires or is deleted."""

    def __init__(self):
        self.kept = True
        self.created = datetime(2024, 1, 20, 10, 45, 33, tzinfo=UTC)  # by the server's clock, not by ours
        self.expires = self.created + timedelta(hours=8)

    def answer(self, kind):
        made = webhook_pb2.SubscribeToJobResponse(subscription_id="sub-1", job_id="j-1", subscription_type=kind)
        made.created_at.FromDatetime(self.created)
        made.expires_at.FromDatetime(self.expires)
        return made

    async def SubscribeToJob(self, request, context):
        return self.answer(request.subscription_type)

    async def ListSubscriptions(self, request, context):
        kept = [self.answer(webhook_pb2.SUBSCRIPTION_TYPE_WEBSOCKET)] if self.kept else []
        return webhook_pb2.ListSubscriptionsResponse(subscriptions=kept)


class Jobs(job_pb2_grpc.JobServiceServicer):
    """Streams what the test puts in; None ends the stream, a status code ends it with that."""

    def __init__(self):
        self.frames: asyncio.Queue = asyncio.Queue()
        self.asked: list = []
        self.left = asyncio.Event()

    async def WatchJob(self, request, context):
        self.asked.append((request, dict(context.invocation_metadata()).get("authorization")))
        try:
            while (frame := await self.frames.get()) is not None:
                if isinstance(frame, StatusCode):
                    await context.abort(frame, "secret")
                yield frame
        finally:
            self.left.set()


@asynccontextmanager
async def served():
    """(base address, jobs, subscriptions, server) of a facade on a free port."""
    jobs, webhooks = Jobs(), Webhooks()
    async with LocalChannel() as channel:
        job_pb2_grpc.add_JobServiceServicer_to_server(jobs, channel)
        webhook_pb2_grpc.add_WebhookServiceServicer_to_server(webhooks, channel)
        rest = RestServer(Facade(channel), "127.0.0.1:0")
        address = await rest.start()
        try:
            yield address, jobs, webhooks, rest
        finally:
            await rest.stop(grace_s=1)


async def subscribed(address, **changes) -> str:
    """The address of the socket of a new subscription."""
    async with httpx.AsyncClient(base_url=address, headers=KEY) as client:
        answer = await client.post(SUBSCRIBE, json=BODY | changes)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["websocketUrl"])


def events(*bodies: E) -> Frame:
    """A frame of events; its token is that of the last."""
    return Frame(resume_token=f"t{bodies[-1].sequence}", events=event_pb2.RunEvents(events=bodies))


async def test_a_socket_carries_the_subscribed_events_in_frames():
    """Snapshot, what was asked for, done; then it closes well."""
    async with served() as (address, jobs, _, _rest):
        for frame in (
            Frame(resume_token="t0", snapshot=job_pb2.GetJobResponse(job_id="j-1")),
            events(E(sequence=1, started=E.Started()), E(sequence=2, phase_started=E.PhaseStarted(phase="Load"))),
            events(E(sequence=3, progressed=E.Progressed())),
            events(E(sequence=4, completed=E.Completed())),
            Frame(resume_token="t5", done=common_pb2.Done()),
            None,
        ):
            jobs.frames.put_nowait(frame)
        url = await subscribed(address)
        assert url.startswith(address.replace("http", "ws") + f"{EXECUTION}/job/j-1/subscriptions/sub-1/events?ticket=")
        async with connect(url, proxy=None) as socket:
            told = [json.loads(message) async for message in socket]
            assert socket.close_code == 1000
    assert [(one["id"], one["event"]) for one in told] == [
        ("t0", "snapshot"),
        ("t2", "events"),
        ("t4", "events"),
        ("t5", "done"),
    ]
    assert told[0]["data"]["jobId"] == "j-1"
    assert [event["sequence"] for event in told[1]["data"]["events"]] == [2]


async def test_the_one_who_subscribed_is_the_one_who_watches():
    """The ticket stands for that credential; `after` is the resume token; words follow the language."""
    async with served() as (address, jobs, _, _rest):
        jobs.frames.put_nowait(None)
        async with connect(f"{await subscribed(address)}&after=t7", proxy=None) as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1012
    request, credential = jobs.asked[0]
    assert (request.request.job_id, request.resume_token, credential) == ("j-1", "t7", "Bearer mine")


async def refused(url) -> tuple[int, dict]:
    """How a handshake is answered."""
    with pytest.raises(InvalidStatus) as caught:
        async with connect(url, proxy=None):
            pass
    return caught.value.response.status_code, json.loads(caught.value.response.body)


async def test_a_handshake_without_a_good_ticket_is_refused():
    """With a problem document; nobody is watched."""
    async with served() as (address, jobs, _, _rest):
        url = await subscribed(address)
        for bad in (url[:-1], url.split("?")[0], url.replace("sub-1", "sub-2"), url.replace("/j-1/", "/j-2/")):
            code, document = await refused(bad)
            assert (code, document["reason"]) == (403, "LINK_NOT_VALID"), bad
        assert jobs.asked == []


async def test_a_subscription_that_has_ended_is_not_served():
    """Deleted, or over."""
    async with served() as (address, _, webhooks, _rest):
        url = await subscribed(address)
        webhooks.expires = webhooks.created
        assert (await refused(url))[1]["reason"] == "SUBSCRIPTION_NOT_FOUND"
        webhooks.kept = False
        assert (await refused(url))[0] == 404


@pytest.mark.parametrize(("code", "closed"), [(StatusCode.UNAVAILABLE, 1012), (StatusCode.INTERNAL, 1011)])
async def test_a_stream_that_fails_closes_the_socket_without_its_text(code, closed):
    """1012 means: come again; 1011: a fault."""
    async with served() as (address, jobs, _, _rest):
        jobs.frames.put_nowait(Frame(resume_token="t0", snapshot=job_pb2.GetJobResponse()))
        async with connect(await subscribed(address), proxy=None) as socket:
            await socket.recv()
            jobs.frames.put_nowait(code)
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert (socket.close_code, "secret" in (socket.close_reason or "")) == (closed, False)


async def test_a_call_that_is_refused_refuses_the_handshake():
    """The first frame is read before the socket opens."""
    async with served() as (address, jobs, _, _rest):
        jobs.frames.put_nowait(StatusCode.NOT_FOUND)
        assert (await refused(await subscribed(address)))[0] == 404


async def test_when_the_subscriber_goes_the_call_ends_and_when_the_server_stops_the_socket_does():
    """Neither side keeps the other waiting."""
    async with served() as (address, jobs, _, rest):
        url = await subscribed(address)
        snapshot = Frame(resume_token="t0", snapshot=job_pb2.GetJobResponse())
        jobs.frames.put_nowait(snapshot)
        async with connect(url, proxy=None) as socket:
            await socket.recv()
        async with asyncio.timeout(5):
            await jobs.left.wait()
        jobs.frames.put_nowait(snapshot)
        async with connect(url, proxy=None) as socket, asyncio.timeout(5):
            await socket.recv()
            await rest.stop(grace_s=1)
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1012


async def test_a_subscription_that_ends_closes_its_socket():
    """At its hour, without a word from the job."""
    async with served() as (address, jobs, webhooks, _rest):
        webhooks.expires = webhooks.created + timedelta(seconds=1.5)
        jobs.frames.put_nowait(Frame(resume_token="t0", snapshot=job_pb2.GetJobResponse()))
        async with connect(await subscribed(address), proxy=None) as socket, asyncio.timeout(10):
            await socket.recv()
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1000


async def test_a_subscription_by_webhook_has_no_socket():
    """Its answer is the server's, untouched."""
    async with served() as (address, _, _, _rest), httpx.AsyncClient(base_url=address, headers=KEY) as client:
        body = BODY | {"subscriptionType": "webhook", "webhookUrl": "https://example.org/"}
        assert "websocketUrl" not in (await client.post(SUBSCRIBE, json=body)).json()


def test_tickets_are_over_after_some_minutes():
    """And the oldest go when there are too many."""
    from types import SimpleNamespace

    now = 0.0
    tickets = Tickets(lambda _path: secrets.token_urlsafe(24), clock=lambda: now)
    asked = SimpleNamespace(header=lambda name: "", language="en", request_id="r")
    text = tickets.issue("/path", asked, webhook_pb2.SubscribeToJobRequest(), "sub-1")  # type: ignore[arg-type]  # a stand-in
    assert tickets.find(text, "/path") is not None
    assert tickets.find(text, "/other") is None
    now = TICKET_S + 0.1
    assert tickets.find(text, "/path") is None
