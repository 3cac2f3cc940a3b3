"""Server-sent events over a real socket: the frames of a Watch stream, and what happens when one side goes."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest

from lodestream import documented
from lodestream.errors import RunNotFound, Unauthenticated
from lodestream.rest.app import Facade
from lodestream.rest.serving import CannotListen, RestServer
from lodestream.rest.settings import RestSettings
from lodestream.v1 import common_pb2, event_pb2, operation_pb2
from tests.integration.rest_world import ASYNC, EXECUTION, Server, local_channel, payload

EVENTS = {"accept": "text/event-stream"}
Frame = operation_pb2.WatchOperationResponse


@asynccontextmanager
async def served(server, settings=None):
    """(base address, RestServer) of a facade on a free port."""
    async with local_channel(server) as channel:
        rest = RestServer(Facade(channel, settings), "127.0.0.1:0")
        address = await rest.start()
        try:
            yield address, rest
        finally:
            await rest.stop(grace_s=2)


@asynccontextmanager
async def listening(server, *, path=f"{ASYNC}/operation/op-1", settings=None, headers=None):
    """An open stream: (response, its lines)."""
    async with (
        served(server, settings) as (address, _),
        httpx.AsyncClient(base_url=address) as client,
        client.stream("GET", path, headers=EVENTS | (headers or {})) as response,
    ):
        yield response, response.aiter_lines()


async def one_event(lines):
    """The next event as {field: value}; comments are kept under "comment"."""
    found: dict[str, str] = {}
    async for line in lines:
        if not line and found:
            return found
        name, _, value = line.partition(": ")
        found[name or "comment"] = value
    return found


def snapshot():
    """The first frame: the state now."""
    return Frame(resume_token="t1", snapshot=payload("get-operation.response", operation_pb2.GetOperationResponse))


async def test_frames_are_events_with_token_kind_and_documented_json():
    """From the snapshot to the typed end; the end of the stream is the end of the answer."""
    server = Server()
    event = event_pb2.RunEvent(sequence=7, state=common_pb2.RUN_STATE_RUNNING, percentage=68)
    for frame in (
        snapshot(),
        Frame(resume_token="t2", events=event_pb2.RunEvents(events=[event])),
        Frame(resume_token="t3", bookmark=common_pb2.Bookmark()),
        Frame(resume_token="t4", done=common_pb2.Done()),
        None,
    ):
        server.frames.put_nowait(frame)
    async with listening(server, headers={"accept-language": "tr"}) as (response, lines):
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        assert (await one_event(lines)).keys() == {"retry"}
        events = [await one_event(lines) for _ in range(4)]
        assert await one_event(lines) == {}
    assert [(event["id"], event["event"]) for event in events] == [
        ("t1", "snapshot"),
        ("t2", "events"),
        ("t3", "bookmark"),
        ("t4", "done"),
    ]
    state = json.loads(events[0]["data"])
    assert state.keys() == documented.example("get-operation.response").keys()
    assert state["progress"]["elapsedTime"] == "23 dakika 15 saniye"
    assert json.loads(events[1]["data"])["events"][0]["sequence"] == 7


async def test_the_last_event_id_and_replay_reach_the_stream():
    """So that a dropped stream goes on where it was, and a late listener hears the whole story."""
    server = Server()
    server.frames.put_nowait(None)
    path = f"{ASYNC}/operation/op-1?replay=true"
    async with listening(server, path=path, headers={"last-event-id": "t9"}) as (response, _):
        assert response.status_code == 200
    assert (server.asked.request.operation_id, server.asked.resume_token, server.asked.replay) == ("op-1", "t9", True)


@pytest.mark.parametrize(("error", "code"), [(RunNotFound(), 404), (Unauthenticated(), 401)])
async def test_an_error_of_the_call_is_an_error_of_the_request(error, code):
    """The first frame is read before the answer begins."""
    server = Server()
    server.error = error
    async with listening(server) as (response, _):
        assert response.status_code == code
        assert json.loads(await response.aread())["reason"] == error.reason


async def test_a_failure_that_is_not_ours_says_nothing_of_itself():
    """A proxy's text stays inside; the caller is told to try again."""
    async with listening(Server(), path=f"{EXECUTION}/job/j-1/progress") as (response, _):
        assert response.status_code == 503
        assert b"secret" not in await response.aread()
        assert response.headers["retry-after"] == "1"


async def test_an_idle_stream_says_that_it_lives():
    """Comment lines, which no program takes for an event."""
    server = Server()
    server.frames.put_nowait(snapshot())
    async with listening(server, settings=RestSettings(idle_comment_s=0.01)) as (_, lines):
        await one_event(lines)
        assert (await one_event(lines))["event"] == "snapshot"
        assert await one_event(lines) == {"comment": "idle"}
        server.frames.put_nowait(Frame(resume_token="t2", done=common_pb2.Done()))
        while "comment" in (event := await one_event(lines)):
            pass
        assert event["event"] == "done"


async def test_a_fault_in_the_middle_of_a_stream_is_an_event_without_its_text():
    """The status has gone out already; the stream ends without done."""
    server = Server()
    for frame in (snapshot(), ValueError("secret")):
        server.frames.put_nowait(frame)
    async with listening(server) as (_, lines):
        await one_event(lines)
        await one_event(lines)
        event = await one_event(lines)
        assert await one_event(lines) == {}
    assert (event["event"], json.loads(event["data"])["status"]) == ("problem", 500)
    assert "secret" not in event["data"]


async def test_when_the_caller_goes_the_call_ends():
    """Nobody is watched for nobody."""
    server = Server()
    server.frames.put_nowait(snapshot())
    async with served(server) as (address, _), httpx.AsyncClient(base_url=address) as client:
        async with client.stream("GET", f"{ASYNC}/operation/op-1", headers=EVENTS) as response:
            lines = response.aiter_lines()
            await one_event(lines)
            await one_event(lines)
            assert not server.unwatched.is_set()
        async with asyncio.timeout(5):
            await server.unwatched.wait()


async def test_stopping_ends_open_streams_and_the_socket():
    """Without done, which means: resume elsewhere."""
    server = Server()
    server.frames.put_nowait(snapshot())
    async with served(server) as (address, rest), httpx.AsyncClient(base_url=address) as client:
        async with client.stream("GET", f"{ASYNC}/operation/op-1", headers=EVENTS) as response:
            lines = response.aiter_lines()
            await one_event(lines)
            await one_event(lines)
            async with asyncio.timeout(5):
                await rest.stop(grace_s=2)
                assert await one_event(lines) == {}
        with pytest.raises(httpx.ConnectError):
            await client.get("/healthz")


async def test_an_address_in_use_or_open_to_strangers_is_not_served():
    """The message says why."""
    server = Server()
    async with served(server) as (address, _), local_channel(server) as channel:
        with pytest.raises(CannotListen, match="in use"):
            await RestServer(Facade(channel), address.removeprefix("http://")).start()
        for bad in ("0.0.0.0:0", "[::]:0", "example.org:80"):
            with pytest.raises(CannotListen, match="plain text"):
                RestServer(Facade(channel), bad)
        for bad in ("127.0.0.1", "127.0.0.1:x", ":1", "127.0.0.1:65536"):
            with pytest.raises(CannotListen, match="HOST:PORT"):
                RestServer(Facade(channel), bad)
