"""The real server with its REST door open, in one process and in two: from upload to download, and how it stops."""

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.contract.workloads import CATALOGUE, PHASES
from tests.support.server import PROJECT, TENANT, running_server

SCOPE = f"/api/{TENANT}/{PROJECT}"
JSON_KEYS_OF_EVERY_PROBLEM = {"type", "title", "status", "detail", "reason", "instance"}


@asynccontextmanager
async def served(folder, **settings):
    """A client with the administrator's key; quick workloads."""
    options = {"rest": "127.0.0.1:0", "catalogue": CATALOGUE, "describe": f"{PHASES}:describe", **settings}
    async with running_server(folder, **options) as server:
        assert server.running.rest is not None
        headers = {"authorization": f"Bearer {server.token}"}
        async with httpx.AsyncClient(base_url=server.running.rest, headers=headers, timeout=30) as client:
            yield client


async def said(process) -> bytes:
    """What a process wrote on stderr."""
    return bytes(await process.stderr.read())


@asynccontextmanager
async def command(*arguments, ready):
    """A `lodestream` process that has written its ready file: (process, what the file says)."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lodestream", *arguments, "--ready-file", str(ready)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(ready.exists):
                assert process.returncode is None, await said(process)
                await asyncio.sleep(0.05)
        yield process, json.loads(ready.read_text())
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ended(client, operation_id):
    """The events of an operation's stream, up to its end."""
    events = []
    headers = {"accept": "text/event-stream"}
    async with client.stream("GET", f"{SCOPE}/async/operation/{operation_id}", headers=headers) as response:
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                events.append(line.removeprefix("event: "))
    return events


async def test_an_operation_from_upload_to_download(tmp_path):
    """Upload, start, follow, results, and a file by its signed link without any key."""
    async with served(tmp_path) as client:
        uploaded = await client.post(
            f"{SCOPE}/datasets", data={"datasetName": "Log"}, files={"file": ("log.csv", b"case,activity\n1,A\n")}
        )
        assert uploaded.status_code == 200, uploaded.text
        started = await client.post(
            f"{SCOPE}/async/operation",
            json={"operationType": "ProcessMiningAnalysis", "operationName": "Mine", "parameters": {"records": 5}},
        )
        assert started.status_code == 200, started.text
        operation_id = started.json()["operationId"]
        assert (await ended(client, operation_id))[-1] == "done"
        shown = await client.get(started.json()["trackingUrl"])
        assert (shown.json()["status"], shown.json()["progress"]["percentage"]) == ("Completed", 100)
        assert "retry-after" not in shown.headers
        results = (await client.get(f"{SCOPE}/async/operation/{operation_id}/results")).json()
        assert results["success"] is True
        for artifact in results["artifacts"]:
            async with httpx.AsyncClient() as stranger:
                file = await stranger.get(artifact["downloadUrl"])
                assert file.status_code == 200
                bare = await stranger.get(artifact["downloadUrl"].split("?")[0])
                assert bare.status_code == 401


async def test_a_link_of_one_server_opens_nothing_at_another(tmp_path):
    """Each has a key of its own."""
    async with served(tmp_path / "one") as one, served(tmp_path / "two") as two:
        other = f"{SCOPE}/runs/r/artifacts/a?expires=99999999999&signature=x"
        assert (await one.get(other)).status_code == 403
        assert (await two.get(other)).status_code == 403


async def test_without_a_key_every_address_of_a_project_is_a_401(tmp_path):
    """And says how to send one."""
    async with served(tmp_path) as client:
        answer = await client.get(f"{SCOPE}/async/operations", headers={"authorization": ""})
        assert answer.status_code == 401
        assert answer.json().keys() >= JSON_KEYS_OF_EVERY_PROBLEM
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_stopping_with_a_stream_open_ends_it_without_done(tmp_path):
    """The caller resumes at the next start."""
    body = {
        "operationType": "DataEnrichment",
        "operationName": "Wait",
        "parameters": {"gate": str(tmp_path / "gate"), "begun": str(tmp_path / "begun")},
    }
    async with httpx.AsyncClient(timeout=30) as client:
        async with running_server(tmp_path / "data", rest="127.0.0.1:0", catalogue=CATALOGUE) as server:
            client.base_url = httpx.URL(server.running.rest or "")
            client.headers["authorization"] = f"Bearer {server.token}"
            operation_id = (await client.post(f"{SCOPE}/async/operation", json=body)).json()["operationId"]
            following = asyncio.create_task(ended(client, operation_id))
            async with asyncio.timeout(20):
                while not await asyncio.to_thread((tmp_path / "begun").exists):  # noqa: ASYNC110  # a worker makes it
                    await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            assert "done" not in await following


@pytest.mark.timeout(90)
async def test_both_commands_serve_and_stop_cleanly_with_streams_open(tmp_path):
    """`serve --rest`, and `facade --target` in front of the same server: SIGTERM, exit 0, no ready file left."""
    serving = ("serve", "--data-dir", str(tmp_path / "data"), "--grpc", "127.0.0.1:0", "--rest", "127.0.0.1:0")
    async with command(*serving, "--drain-s", "0.1", ready=tmp_path / "ready.json") as (server, ready):
        behind = ("facade", "--target", ready["grpc"], "--rest", "127.0.0.1:0")
        async with command(*behind, ready=tmp_path / "facade.json") as (facade, other):
            headers = {"authorization": f"Bearer {ready['token']}", "accept": "text/event-stream"}
            async with httpx.AsyncClient(headers=headers, timeout=30) as client:
                for address, process in ((other["rest"], facade), (ready["rest"], server)):
                    assert (await client.get(f"{address}/readyz")).json() == {"status": "ready"}
                    async with client.stream("GET", f"{address}{SCOPE}/execution/queue") as stream:
                        lines = stream.aiter_lines()
                        while not (await anext(lines)).startswith("event: snapshot"):
                            pass
                        process.send_signal(signal.SIGTERM)
                        async with asyncio.timeout(20):
                            async for _ in lines:
                                pass
                            assert await process.wait() == 0, await said(process)
    assert not (tmp_path / "ready.json").exists()
    assert not (tmp_path / "facade.json").exists()
