"""Streams over a real connection that breaks in every way: servers that abort, end early, vanish and come back."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from lodestream.client import Client, Patience, Settings
from lodestream.client.problems import ServerUnreachable
from lodestream.v1.common_pb2 import Bookmark, Done, Reset
from lodestream.v1.event_pb2 import RunEvent, RunEvents
from lodestream.v1.job_pb2 import GetJobResponse, WatchJobRequest, WatchJobResponse
from lodestream.v1.job_pb2_grpc import JobServiceServicer, add_JobServiceServicer_to_server
from tests.integration.client_world import PATIENCE, SCOPE, world

EVENTS = 40
ENDINGS = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.ABORTED)


class Unreliable(JobServiceServicer):
    """Streams forty events in frames of up to three, and breaks off at random places in random ways.

    `life` is part of the token: a server with another life does not honour it and resets.
    """

    def __init__(self, seed: int, life: str = "a") -> None:
        self.chance, self.life = random.Random(seed), life
        self.open = self.streams = 0

    async def WatchJob(self, request: WatchJobRequest, context: Any) -> AsyncIterator[WatchJobResponse]:
        self.streams += 1
        self.open += 1
        try:
            life, _, place = request.resume_token.partition(":")
            after = int(place or 0)
            if request.resume_token and life != self.life:
                yield WatchJobResponse(reset=Reset(reason="OTHER_STORE"))
                after = 0
            if after == 0:
                yield WatchJobResponse(resume_token=f"{self.life}:0", snapshot=GetJobResponse(job_id="j"))
            while after < EVENTS:
                if self.chance.random() < 0.25:
                    yield WatchJobResponse(resume_token=f"{self.life}:{after}", bookmark=Bookmark())
                if self.chance.random() < 0.3:
                    await self.end(context)
                    return
                upto = min(EVENTS, after + self.chance.randint(1, 3))
                # Now and then a frame begins with what the token covers already.
                begin = max(0, after - self.chance.randint(0, 2))
                events = [RunEvent(sequence=number) for number in range(begin + 1, upto + 1)]
                yield WatchJobResponse(resume_token=f"{self.life}:{upto}", events=RunEvents(events=events))
                after = upto
            yield WatchJobResponse(resume_token=f"{self.life}:{EVENTS}", done=Done())
        finally:
            self.open -= 1

    async def end(self, context: Any) -> None:
        """Breaks off: with a status, or as if nothing were wrong."""
        if self.chance.random() < 0.7:
            await context.abort(self.chance.choice(ENDINGS), "broken on purpose")


async def started(servicer: Unreliable, port: int = 0) -> tuple[grpc.aio.Server, int]:
    """A server with the servicer."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_JobServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server, port


def client_of(port: int, patience: Patience = PATIENCE) -> Client:
    """A client of a server on this port."""
    return Client(settings=Settings(f"127.0.0.1:{port}", "token"), patience=patience)


@pytest.mark.parametrize("seed", range(6))
async def test_a_server_that_breaks_off_at_random_is_followed_without_gap_or_repeat(seed):
    """Whatever status ends a stream: forty events, once, in order, and no stream is left open."""
    servicer = Unreliable(seed)
    server, port = await started(servicer)
    async with client_of(port) as client, client.job("j").watch() as updates:
        told = [item.sequence async for item in updates if isinstance(item, RunEvent)]
        assert updates.resumptions == servicer.streams - 1 > 0
    await server.stop(0)
    assert told == list(range(1, EVENTS + 1))
    assert servicer.open == 0


async def test_a_server_that_vanishes_and_comes_back_is_found_again():
    """Stopped in the middle and started anew on its port: the watcher goes on with its token."""
    first = Unreliable(1)
    server, port = await started(first)
    told: list[int] = []
    async with client_of(port) as client, client.job("j").watch() as updates:
        async for item in updates:
            if isinstance(item, RunEvent):
                told.append(item.sequence)
            if told and told[-1] == 5:
                await server.stop(0)
                server, _ = await started(Unreliable(2), port)
    await server.stop(0)
    assert told == list(range(1, EVENTS + 1))


async def test_a_server_with_another_store_gives_a_fresh_snapshot():
    """The token is void there: the state comes again, and then all of its events."""
    server, port = await started(Unreliable(1))
    told: list[int] = []
    async with client_of(port) as client, client.job("j").watch() as updates:
        async for item in updates:
            told.append(item.sequence if isinstance(item, RunEvent) else 0)
            if told[-1] == 5:
                await server.stop(0)
                server, _ = await started(Unreliable(2, life="b"), port)
    await server.stop(0)
    again = told.index(0, 1)
    assert told[:again] == list(range(again))
    assert [number for number in told[again:] if number] == list(range(1, EVENTS + 1))


async def test_a_server_that_stays_away_is_given_up():
    """The watcher says so after its patience, and not before it has tried."""
    server, port = await started(Unreliable(1))
    await server.stop(0)
    breaks: list[str] = []
    patience = Patience(give_up_s=0.3, first_delay_s=0.01, longest_delay_s=0.05)
    async with client_of(port, patience) as client:
        with pytest.raises(ServerUnreachable, match=r"0\.3 s"):
            [item async for item in client.job("j").watch(on_break=breaks.append)]
    assert len(breaks) > 2


async def test_leaving_a_stream_early_frees_the_server(tmp_path):
    """Nobody reads any more, and the server knows."""
    left = asyncio.Event()

    class Patient(JobServiceServicer):
        async def WatchJob(self, request: WatchJobRequest, context: Any) -> AsyncIterator[WatchJobResponse]:
            try:
                yield WatchJobResponse(resume_token="t", snapshot=GetJobResponse(job_id="j"))
                await asyncio.Event().wait()
            finally:
                left.set()

    server = grpc.aio.server()
    add_JobServiceServicer_to_server(Patient(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with client_of(port) as client:
        async with client.job("j").watch() as updates:
            await anext(updates)
        await left.wait()
    await server.stop(0)


async def test_watchers_that_are_killed_again_and_again_hear_the_whole_story(tmp_path):
    """Against the real server: a hundred watchers of runs at work, each going on in the frame the last was left in."""
    chance = random.Random(7)
    lives = 0
    async with world(tmp_path) as here:
        here.gate.touch()
        while lives < 100:
            job = await here.client.submit_job("Killed", type="DataEnrichment", parameters=here.waiting)
            told: list[int] = []
            token, ended = "", False
            while not ended:
                lives += 1
                left = chance.randint(1, 3)
                async with job.watch(replay=True, token=token, after=told[-1] if told else 0) as updates:
                    async for item in updates:
                        assert isinstance(item, RunEvent)
                        told.append(item.sequence)
                        left -= 1
                        if left == 0:
                            break
                    token, ended = updates.token, updates.done is not None
            assert told == list(range(1, len(told) + 1))
            assert len(told) == (await here.server.engine.get(SCOPE, job.id)).last_sequence
