"""Connections cut in the middle of everything: readers of one run, over gRPC and over REST, that count what they hear.

Readers take up what they lost from the last token they got, and hide nothing: what came twice stands there twice.
Called by a small test and by the proof with a thousand cuts.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
from lodestream_server.engine.models import CancelOrder
from lodestream_server.runs.bodies import Logged, Scheduled, Submitted
from lodestream_server.runs.states import RunKind
from lodestream_server.store.appending import Fact, begin
from lodestream_server.store.reading import Scope

from lodestream.v1 import job_pb2, job_pb2_grpc
from tests.support.server import PROJECT, TENANT, TestServer, running_server

SCOPE = Scope(TENANT, PROJECT)
RUN = "00000000-0000-7000-8000-0000000000aa"
#: A connection that is refused by the relay's end is tried again after so long.
_AGAIN_MS = 20
_READERS = 8
#: Longest pause between two cuts.
_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Heard:
    """What all readers heard, and how often they were cut off."""

    numbers: tuple[tuple[int, ...], ...]
    events: int
    cuts: int
    connections: int


class Relay:
    """A port that hands bytes on in both directions, until it breaks all its connections."""

    def __init__(self, target: str) -> None:
        self._host, _, self._port = target.rpartition(":")
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        #: How many connections there were.
        self.connections = 0

    async def start(self) -> asyncio.Server:
        """Listens."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def cut(self) -> bool:
        """Breaks the connections, whatever is under way on them; whether there were any."""
        doomed, self._open = self._open, set()
        for writer in doomed:
            writer.transport.abort()
        return bool(doomed)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError):
            there_reader, there = await asyncio.open_connection(self._host, int(self._port))
            self._open |= {writer, there}
            try:
                await asyncio.gather(_hand_on(reader, there), _hand_on(there_reader, writer))
            finally:
                self._open -= {writer, there}
                writer.transport.abort()
                there.transport.abort()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


@dataclass(slots=True)
class Reader:
    """One that reads a run to its end, whatever becomes of its connections."""

    relay: Relay
    token: str
    numbers: list[int] = field(default_factory=list)
    resume: str = ""

    async def over_grpc(self) -> None:
        """By the generated stub; nothing of our client, which would drop what comes twice."""
        options = [(f"grpc.{which}_reconnect_backoff_ms", _AGAIN_MS) for which in ("initial", "min", "max")]
        asked = job_pb2.GetJobRequest(tenant_id=TENANT, project_id=PROJECT, job_id=RUN)
        metadata = (("authorization", f"Bearer {self.token}"),)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.relay.port}", options=options) as channel:
            stub: Any = job_pb2_grpc.JobServiceStub(channel)
            while True:
                request = job_pb2.WatchJobRequest(request=asked, resume_token=self.resume, replay=True)
                try:
                    async for frame in stub.WatchJob(request, metadata=metadata, wait_for_ready=True):
                        if self._takes(frame.WhichOneof("frame"), frame.events.events, frame.resume_token):
                            return
                except grpc.aio.AioRpcError as status:
                    if status.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise

    async def over_rest(self) -> None:
        """By server-sent events, with `Last-Event-ID` as a browser sends it."""
        address = f"http://127.0.0.1:{self.relay.port}/api/{TENANT}/{PROJECT}/execution/job/{RUN}?replay=true"
        headers = {"authorization": f"Bearer {self.token}", "accept": "text/event-stream"}
        async with httpx.AsyncClient(timeout=30) as client:
            while True:
                resuming = {"last-event-id": self.resume} if self.resume else {}
                with contextlib.suppress(httpx.TransportError):
                    async with client.stream("GET", address, headers=headers | resuming) as response:
                        assert response.status_code == 200, await response.aread()
                        async for kind, data, resume in _events(response):
                            if self._takes(kind, data.get("events", ()), resume):
                                return

    def _takes(self, kind: str | None, events: Any, resume: str) -> bool:
        """Whether that was the last frame."""
        assert kind in ("events", "bookmark", "done"), f"a stream that goes on must not begin anew: {kind}"
        self.numbers += [one["sequence"] if isinstance(one, dict) else one.sequence for one in events]
        self.resume = resume
        return kind == "done"


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any], str]]:
    said: dict[str, str] = {}
    async for line in response.aiter_lines():
        if not line:
            if "event" in said:
                yield said["event"], json.loads(said["data"]), said.get("id", "")
            said = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            said[name] = value


async def cut_off(folder: Path, cuts: int, seed: int) -> Heard:
    """Cuts readers off so many times while their run goes on, then lets it end; what they heard."""
    dice = random.Random(seed)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server(folder, rest="127.0.0.1:0", seats=1))
        await _begin(server)
        readers, tasks = [], []
        for number in range(_READERS):
            rest = number % 2 == 1
            relay = Relay((server.running.rest or "").removeprefix("http://") if rest else server.address)
            stack.push_async_callback(_end, await relay.start(), relay)
            readers.append(reader := Reader(relay, server.token))
            tasks.append(asyncio.create_task(reader.over_rest() if rest else reader.over_grpc()))
        async with _talking(server):
            done = await _cut_at_random(readers, tasks, cuts, dice)
        run = await server.engine.cancel(SCOPE, RUN, CancelOrder())
        async with asyncio.timeout(60):
            await asyncio.gather(*tasks)
        connections = sum(reader.relay.connections for reader in readers)
        return Heard(tuple(tuple(reader.numbers) for reader in readers), run.last_sequence, done, connections)


async def _cut_at_random(readers: list[Reader], tasks: list[asyncio.Task[None]], cuts: int, dice: random.Random) -> int:
    done = 0
    while done < cuts:
        await asyncio.sleep(dice.uniform(0, _PAUSE_S))
        for task in tasks:
            if task.done():
                task.result()
        done += dice.choice(readers).relay.cut()
    return done


async def _end(listening: asyncio.Server, relay: Relay) -> None:
    listening.close()
    relay.cut()


async def _begin(server: TestServer) -> None:
    """A run that waits for another day, and is told about all the same."""
    now = server.engine.clock.now()
    asked = Submitted(TENANT, PROJECT, RunKind.JOB, "ProcessMining", "Cut off", ())
    facts = [Fact(asked, now), Fact(Scheduled(now + timedelta(days=1)), now)]
    await server.engine._store.write(lambda tx: begin(tx, RUN, facts))


@asynccontextmanager
async def _talking(server: TestServer) -> AsyncIterator[None]:
    """An event every few milliseconds, now and then many at once."""

    async def talk() -> None:
        number = 0
        while True:
            number += 1
            fact = Fact(Logged("INFO", f"line {number}", "Test"), server.engine.clock.now())
            await server.engine._store.append(RUN, [fact] * (50 if number % 20 == 0 else 1))
            await asyncio.sleep(0.004)

    task = asyncio.create_task(talk())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
