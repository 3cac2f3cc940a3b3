"""Subscriptions over WebSocket: the mock tells a job's documented story through the facade's own socket."""

import json

import httpx
from lodestream_mock.app import running
from lodestream_mock.session.settings import SessionSettings
from lodestream_mock.settings import MockSettings
from websockets.asyncio.client import connect

from tests.mock.world import IDS

JOB = f"/api/{IDS['tenant_id']}/{IDS['project_id']}/execution/job/{IDS['job_id']}"


async def told(url):
    """Every message of a socket until it closes."""
    async with connect(url, proxy=None) as socket:
        return [json.loads(message) async for message in socket]


def heard(frames):
    """Every event, whichever frames they came in."""
    return [event for frame in frames if frame["event"] == "events" for event in frame["data"]["events"]]


async def test_a_subscription_by_socket_hears_the_documented_job_to_its_end():
    """In virtual time: all of it at once, snapshot first, `done` last; `after` goes on behind an id."""
    settings = MockSettings(grpc="127.0.0.1:0", rest="127.0.0.1:0", sessions=SessionSettings(clock="auto"))
    async with (
        running(settings) as mock,
        httpx.AsyncClient(base_url=mock.rest or "") as client,
    ):
        wanted = {"subscriptionType": "websocket", "events": ["stageStarted", "stageCompleted", "jobCompleted"]}
        made = await client.post(f"{JOB}/subscribe", json=wanted)
        assert made.status_code == 200, made.text
        url = made.json()["websocketUrl"]
        whole = await told(url)
        rest = await told(f"{url}&after={whole[1]['id']}")
    assert [whole[0]["event"], whole[-1]["event"]] == ["snapshot", "done"]
    assert heard(rest) == heard(whole[2:])
    assert "completed" in heard(whole)[-1]
