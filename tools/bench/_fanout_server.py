"""The servers of the fan-out bench: `python -m tools.bench._fanout_server ours|bare`.

Both serve one run's WatchJob. Commands come as lines on stdin: `emit N` adds N events, one commit or one message at a
time; `burst N K` adds N at once, whose text is K times as long. Each is answered with a line on stdout once it is done;
the first line is the address and the token. The bare one is what a good programmer writes in an afternoon: a list, a
condition, one event a message.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
from lodestream_server.app import RunningServer, running
from lodestream_server.runs.bodies import Logged, Scheduled, Submitted
from lodestream_server.runs.states import RunKind
from lodestream_server.settings import ServerSettings
from lodestream_server.store.appending import Fact, begin

from lodestream.v1 import job_pb2, job_pb2_grpc
from lodestream.v1.common_pb2 import LogEntry
from lodestream.v1.event_pb2 import RunEvent, RunEvents

TENANT = "11111111-1111-4111-8111-111111111111"
PROJECT = "22222222-2222-4222-8222-222222222222"
RUN = "00000000-0000-7000-8000-000000000001"
MESSAGE = "Measured waiting before 'Manager Approval' over 12,345 steps of 1,234 cases; the median is 2.5 days so far"

#: So many events, whose text is so many times as long.
Add = Callable[[int, int], Awaitable[None]]


class Bare(job_pb2_grpc.JobServiceServicer):
    """A list of events and a condition; each watcher has a place in the list."""

    def __init__(self) -> None:
        self._events: list[RunEvent] = []
        self._news = asyncio.Condition()

    async def add(self, count: int, times: int) -> None:
        """So many more events, at once."""
        first = len(self._events) + 1
        self._events += [
            RunEvent(
                sequence=number,
                percentage=42,
                logged=LogEntry(message=MESSAGE * times, component="Bench", stage="Bench"),
            )
            for number in range(first, first + count)
        ]
        async with self._news:
            self._news.notify_all()

    async def WatchJob(  # noqa: N802  # the contract's name
        self, request: Any, context: Any
    ) -> AsyncIterator[job_pb2.WatchJobResponse]:
        """A snapshot, then one event a message."""
        yield job_pb2.WatchJobResponse(snapshot=job_pb2.GetJobResponse(job_id=RUN))
        place = len(self._events)
        while True:
            async with self._news:
                while place == len(self._events):
                    await self._news.wait()
            while place < len(self._events):
                yield job_pb2.WatchJobResponse(events=RunEvents(events=[self._events[place]]))
                place += 1


async def bare() -> None:
    """Serves the bare one until stdin ends."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    servicer = Bare()
    job_pb2_grpc.add_JobServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await obey(f"127.0.0.1:{port} -", servicer.add)
    await server.stop(0)


async def ours() -> None:
    """Serves the real server, with one run that is scheduled for later and so never starts, until stdin ends."""
    with tempfile.TemporaryDirectory(prefix="lodestream-bench-") as folder:
        chosen: dict[str, Any] = {"grpc": "127.0.0.1:0", "data_dir": Path(folder), "seats": 1, "log_level": "ERROR"}
        async with running(ServerSettings(**chosen)) as server:
            await _begin(server)
            store = server.engine._store

            async def add(count: int, times: int) -> None:
                now = server.engine.clock.now()
                line = Logged("INFO", MESSAGE * times, "Bench", "Bench")
                await store.append(RUN, [Fact(line, now)] * count)

            await obey(f"{server.address} {server.token}", add)


async def _begin(server: RunningServer) -> None:
    now = server.engine.clock.now()
    asked = Submitted(TENANT, PROJECT, RunKind.JOB, "ProcessMining", "Fan-out", ())
    facts = [Fact(asked, now), Fact(Scheduled(now + timedelta(days=1)), now)]
    await server.engine._store.write(lambda tx: begin(tx, RUN, facts))


async def obey(address: str, add: Add) -> None:
    """Says the address, then does what stdin says."""
    print(address, flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).split():
        count, times = int(line[1]), int(line[2]) if line[2:] else 1
        for _ in range(count if line[0] == b"emit" else 1):
            await add(1 if line[0] == b"emit" else count, times)
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run({"ours": ours, "bare": bare}[sys.argv[1]]())
