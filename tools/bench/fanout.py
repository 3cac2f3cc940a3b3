"""Fan-out of one run's events to many watchers, against a bare grpc.aio stream with one event a message.

`python -m tools.bench.fanout [--json] [--watchers N ...]`. Both servers run as processes of their own and take turns;
the watchers are the same code. "one by one": the next event is added when every watcher has the one before, so that no
frame can hold two. "queued": 200 events at once. "at once": so many streams opened together; none may be CANCELLED.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import grpc

from lodestream.v1 import job_pb2, job_pb2_grpc
from tools.bench._fanout_server import PROJECT, RUN, TENANT

#: Events added at once in the "queued" case.
QUEUED = 200
ONE_BY_ONE = 20
#: Streams of one connection: a hundred is what HTTP/2 servers usually allow at least.
STREAMS_A_CHANNEL = 100
_ROUNDS = 3
_GIVE_UP_S = 120.0


@dataclass(frozen=True, slots=True)
class Row:
    """One case: deliveries a second of both, medians over the rounds."""

    watchers: int
    case: str
    ours: float
    bare: float
    ratio: float


class Crowd:
    """So many watchers of one server; `have` counts the events each has got."""

    def __init__(self, address: str, token: str, size: int) -> None:
        self._size = size
        count = -(-size // STREAMS_A_CHANNEL)
        # Channels to one address share a connection unless they differ.
        self._channels = [
            grpc.aio.insecure_channel(
                address, options=[("lodestream.bench.channel", number), ("grpc.use_local_subchannel_pool", 1)]
            )
            for number in range(count)
        ]
        self._metadata = () if token == "-" else (("authorization", f"Bearer {token}"),)
        self.have = [0] * size
        self.failed: list[str] = []
        self._unopened = size
        self._opened = asyncio.Event()
        self._target = 0
        self._lacking = 0
        self._reached = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Opens all streams together and waits for each one's first frame or its failure."""
        self._tasks = [asyncio.create_task(self._watch(number)) for number in range(self._size)]
        async with asyncio.timeout(_GIVE_UP_S):
            await self._opened.wait()

    def expect(self, more: int) -> None:
        """The next `reached` waits until each watcher has so many more."""
        self._target += more
        self._lacking = self._size - len(self.failed)
        self._reached.clear()

    async def reached(self) -> None:
        """Waits for the last of them."""
        async with asyncio.timeout(_GIVE_UP_S):
            await self._reached.wait()

    async def close(self) -> None:
        """Ends all streams."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for channel in self._channels:
            await channel.close()

    async def _watch(self, number: int) -> None:
        stub: Any = job_pb2_grpc.JobServiceStub(self._channels[number // STREAMS_A_CHANNEL])
        which = job_pb2.GetJobRequest(tenant_id=TENANT, project_id=PROJECT, job_id=RUN)
        call = stub.WatchJob(job_pb2.WatchJobRequest(request=which), metadata=self._metadata)
        try:
            async for frame in call:
                if frame.HasField("snapshot"):
                    self._settled()
                self._got(number, len(frame.events.events))
        except grpc.aio.AioRpcError as error:
            self.failed.append(error.code().name)
            self._settled()
        finally:
            call.cancel()

    def _settled(self) -> None:
        self._unopened -= 1
        if not self._unopened:
            self._opened.set()

    def _got(self, number: int, events: int) -> None:
        before, self.have[number] = self.have[number], self.have[number] + events
        if before < self._target <= self.have[number]:
            self._lacking -= 1
            if not self._lacking:
                self._reached.set()


@asynccontextmanager
async def serving(which: str, **environment: str) -> AsyncIterator[tuple[str, str, asyncio.subprocess.Process]]:
    """A server process: its address, token and itself. `environment` is added to what it finds there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools.bench._fanout_server", which,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=os.environ | environment,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    try:
        address, token = (await process.stdout.readline()).decode().split()
        yield address, token, process
    finally:
        process.stdin.close()
        await process.wait()


async def tell(process: asyncio.subprocess.Process, command: str) -> None:
    """Sends a command and waits until it is done."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{command}\n".encode())
    await process.stdout.readline()


async def _rates(which: str, watchers: int) -> tuple[float, float]:
    """Deliveries a second: one by one, and queued."""
    async with serving(which) as (address, token, process):
        crowd = Crowd(address, token, watchers)
        await crowd.open()
        try:
            await _deliver(crowd, process, "emit 1", 1)  # warms up
            start = time.perf_counter()
            for _ in range(ONE_BY_ONE):
                await _deliver(crowd, process, "emit 1", 1)
            one_by_one = watchers * ONE_BY_ONE / (time.perf_counter() - start)
            start = time.perf_counter()
            await _deliver(crowd, process, f"burst {QUEUED}", QUEUED)
            return one_by_one, watchers * QUEUED / (time.perf_counter() - start)
        finally:
            await crowd.close()


async def _deliver(crowd: Crowd, process: asyncio.subprocess.Process, command: str, events: int) -> None:
    crowd.expect(events)
    await tell(process, command)
    await crowd.reached()


async def _opened_at_once(watchers: int) -> list[str]:
    """Statuses of the streams that were refused."""
    async with serving("ours") as (address, token, _):
        crowd = Crowd(address, token, watchers)
        await crowd.open()
        await crowd.close()
        return crowd.failed


async def measure(sizes: Sequence[int]) -> list[Row]:
    """Two rows per number of watchers."""
    rows = []
    for watchers in sizes:
        seen: dict[str, list[tuple[float, float]]] = {"ours": [], "bare": []}
        for _ in range(_ROUNDS):
            for which, rates in seen.items():
                rates.append(await _rates(which, watchers))
        for place, case in enumerate(("one by one", "queued")):
            ours, bare = (statistics.median(rate[place] for rate in seen[which]) for which in ("ours", "bare"))
            rows.append(Row(watchers, case, round(ours), round(bare), round(ours / bare, 2)))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the comparison."""
    parser = argparse.ArgumentParser(description="Fan-out against a bare grpc.aio stream.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--watchers", type=int, nargs="+", default=[100, 1_000], help="how many watch")
    parser.add_argument("--at-once", type=int, default=5_000, help="streams to open together; 0 leaves it out")
    options = parser.parse_args(arguments)
    rows = asyncio.run(measure(options.watchers))
    refused = asyncio.run(_opened_at_once(options.at_once)) if options.at_once else []
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "at_once": options.at_once, "refused": len(refused)}))
        return
    print(f"{'watchers':>9} {'case':12}{'ours /s':>10}{'bare /s':>10}{'ratio':>7}")
    for row in rows:
        print(f"{row.watchers:>9,} {row.case:12}{row.ours:>10,.0f}{row.bare:>10,.0f}{row.ratio:>7}")
    if options.at_once:
        print(f"{options.at_once:,} streams opened at once: {len(refused)} refused {sorted(set(refused)) or ''}")


if __name__ == "__main__":
    main()
