"""Delivery in the real server, from the REST door to the receiver: webhooks, callbacks and a subscription by socket."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
from standardwebhooks.webhooks import Webhook
from websockets.asyncio.client import connect

from tests.contract.workloads import CATALOGUE, PHASES
from tests.integration.delivery_world import receiving
from tests.support.server import PROJECT, TENANT, running_server

SCOPE = f"/api/{TENANT}/{PROJECT}"
SECRET = "a-secret-of-the-receiver"


@asynccontextmanager
async def served(folder):
    """A client of a server that may call receivers on this machine."""
    settings = {"rest": "127.0.0.1:0", "delivery_allow_networks": "127.0.0.0/8"}
    async with running_server(folder, catalogue=CATALOGUE, describe=f"{PHASES}:describe", **settings) as server:
        assert server.running.rest is not None
        headers = {"authorization": f"Bearer {server.token}"}
        async with httpx.AsyncClient(base_url=server.running.rest, headers=headers, timeout=30) as client:
            yield client


async def answered(client, path, body):
    """The JSON of a POST that is taken."""
    answer = await client.post(f"{SCOPE}{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def gated(tmp_path, **more):
    """An operation that waits for the file `gate` once it has begun."""
    parameters = {"gate": str(tmp_path / "gate"), "begun": str(tmp_path / "begun")}
    return {"operationType": "DataEnrichment", "operationName": "Wait", "parameters": parameters, **more}


async def test_webhooks_and_callbacks_arrive_and_are_counted(tmp_path):
    """Signed as registered, told in order, and counted where the documentation shows it."""
    async with receiving() as receiver, served(tmp_path / "data") as client:
        hook = {
            "webhookUrl": receiver.url("/hook"),
            "webhookName": "all",
            "events": ["operation.started", "operation.completed"],
            "authentication": {"type": "hmac-sha256", "secret": SECRET},
        }
        webhook_id = (await answered(client, "/async/webhooks", hook))["webhookId"]
        callbacks = {"onCompletion": receiver.url("/done"), "onError": receiver.url("/failed")}
        started = await answered(client, "/async/operation", gated(tmp_path, callbacks=callbacks))
        assert started["webhooksRegistered"] == 2
        (tmp_path / "gate").touch()
        await receiver.until(lambda seen: len(seen.got) == 3)
        hooked = [one for one in receiver.got if one.path == "/hook"]
        assert [one.said["event"] for one in hooked] == ["operation.started", "operation.completed"]
        for one in hooked:
            assert Webhook(SECRET.encode()).verify(one.body, one.headers) == one.said
        assert [one.said["event"] for one in receiver.got if one.path == "/done"] == ["operation.completed"]
        async with asyncio.timeout(10):  # an answer is counted once it is stored
            while True:
                shown = (await client.get(f"{SCOPE}/async/operation/{started['operationId']}")).json()
                stats = (await client.get(f"{SCOPE}/async/webhooks/{webhook_id}")).json()["deliveryStats"]
                if shown["callbacks"]["callbacksSuccessful"] == 1 and stats["successfulDeliveries"] == 2:
                    break
        assert shown["callbacks"]["callbacksFailed"] == 0
        assert stats["totalDeliveries"] == 2


async def test_a_subscription_by_socket_tells_the_job_to_its_end(tmp_path):
    """The address in the answer is all that a subscriber needs."""
    async with served(tmp_path / "data") as client:
        body = {
            "jobType": "DataEnrichment",
            "jobName": "Wait",
            "parameters": {"gate": str(tmp_path / "gate"), "begun": str(tmp_path / "begun")},
        }
        job_id = (await answered(client, "/execution/job", body))["jobId"]
        wanted = {"subscriptionType": "websocket", "events": ["stageCompleted", "jobCompleted"]}
        made = await answered(client, f"/execution/job/{job_id}/subscribe", wanted)
        async with connect(made["websocketUrl"], proxy=None) as socket:
            (tmp_path / "gate").touch()
            told = [json.loads(message) async for message in socket]
    told_of = [event for frame in told if frame["event"] == "events" for event in frame["data"]["events"]]
    ends = [event["phaseCompleted"]["phase"] for event in told_of if "phaseCompleted" in event]
    assert ends[-1] == "Wait"
    assert "completed" in told_of[-1]
    assert [told[0]["event"], told[-1]["event"]] == ["snapshot", "done"]
