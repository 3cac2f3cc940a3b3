"""Readers that stop reading, beside others that go on: what they cost the server, and what they miss.

Two servers of the same kind get the same events in turn, one with stalled readers and one without, so that what is
compared is the stalled readers alone. Called by a small test and by the acceptance test.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import psutil

from lodestream.v1 import job_pb2, job_pb2_grpc
from tests.support.served import free_port
from tools.bench._fanout_server import PROJECT, RUN, TENANT
from tools.bench.fanout import Crowd, serving, tell

#: Readers that stall, for each door: enough that their memory stands out from what differs between two processes.
STALLED = 4
#: Events of some 4 KB each.
_AT_ONCE, _TIMES_AS_LONG = 250, 40
_TIMED = 20


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes for each stalled reader; by what part the server's processor time for the others grew (0.1 is ten percent)
    and by what part their seconds did, of medians; how many events there were, and how many of them a stalled reader
    got once it read again.

    Seconds are those of all programs of the machine: beside busy ones they differ by a third between two halves of a
    run."""

    bytes_each: float
    dearer: float
    slower: float
    added: int
    late: int


@dataclass(slots=True)
class _Side:
    """A server and its readers."""

    rest: str
    address: str
    token: str
    process: asyncio.subprocess.Process
    crowd: Crowd

    @property
    def rss(self) -> int:
        """Resident bytes of the server."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    @property
    def cpu_s(self) -> float:
        """Processor time that the server has used."""
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)

    async def emit(self, events: int) -> float:
        """Seconds for so many events, one after the other, to reach all who read."""
        begin = time.perf_counter()
        for _ in range(events):
            await self._add("emit 1", 1)
        return time.perf_counter() - begin

    async def burst(self, events: int) -> None:
        """So many at once, until all who read have them."""
        await self._add(f"burst {events} {_TIMES_AS_LONG}", events)

    async def _add(self, how: str, events: int) -> None:
        self.crowd.expect(events)
        await tell(self.process, how)
        await self.crowd.reached()


async def cost_of_stalling(*, events: int, watchers: int, rounds: int) -> Cost:
    """Fills both servers with so many events of 4 KB; then times 20 events `rounds` times on each, in turn."""
    async with AsyncExitStack() as stack:
        plain, held = [await stack.enter_async_context(_side(watchers)) for _ in range(2)]
        stalled = [await stack.enter_async_context(_over_grpc(held)) for _ in range(STALLED)]
        for _ in range(STALLED):
            await stack.enter_async_context(_over_rest(held))
        grown = [await _filled(side, events) for side in (plain, held)]
        turns = [(await _timed(plain), await _timed(held)) for _ in range(rounds)]
        cpu_s = [sum(turn[side][1] for turn in turns) for side in (0, 1)]
        took_s = [statistics.median(turn[side][0] for turn in turns) for side in (0, 1)]
        added = events + _TIMED * rounds
        late = await _caught_up(stalled[0], added)
        each = (grown[1] - grown[0]) / (2 * STALLED)
        # The clock of processor time ticks a hundred times a second: a single turn may cost nothing by it.
        return Cost(each, cpu_s[1] / max(cpu_s[0], 0.01) - 1, took_s[1] / took_s[0] - 1, added, late)


async def _timed(side: _Side) -> tuple[float, float]:
    """Seconds, and processor seconds of the server, of one turn."""
    before = side.cpu_s
    return await side.emit(_TIMED), side.cpu_s - before


async def _filled(side: _Side, events: int) -> int:
    before = side.rss
    for _ in range(events // _AT_ONCE):
        await side.burst(_AT_ONCE)
    return side.rss - before


@asynccontextmanager
async def _side(watchers: int) -> AsyncIterator[_Side]:
    rest = f"127.0.0.1:{free_port()}"
    async with serving("ours", LODESTREAM_REST=rest) as (address, token, process):
        side = _Side(rest, address, token, process, Crowd(address, token, watchers))
        await side.crowd.open()
        await side.emit(1)  # warms up
        try:
            yield side
        finally:
            await side.crowd.close()


@asynccontextmanager
async def _over_grpc(side: _Side) -> AsyncIterator[Any]:
    """A stream of which the first frame was read, and nothing since."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(side.address, options=options) as channel:
        stub: Any = job_pb2_grpc.JobServiceStub(channel)
        which = job_pb2.GetJobRequest(tenant_id=TENANT, project_id=PROJECT, job_id=RUN)
        call = stub.WatchJob(
            job_pb2.WatchJobRequest(request=which), metadata=(("authorization", f"Bearer {side.token}"),)
        )
        assert (await call.read()).HasField("snapshot")
        yield call
        call.cancel()


@asynccontextmanager
async def _over_rest(side: _Side) -> AsyncIterator[None]:
    """The same as server-sent events."""
    host, _, port = side.rest.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=4096)
    lines = (
        f"GET /api/{TENANT}/{PROJECT}/execution/job/{RUN} HTTP/1.1",
        f"host: {side.rest}",
        f"authorization: Bearer {side.token}",
        "accept: text/event-stream",
    )
    writer.write("\r\n".join([*lines, "", ""]).encode())
    await reader.readuntil(b"event: snapshot")
    yield
    writer.transport.abort()


async def _caught_up(call: Any, events: int) -> int:
    """What came of so many events; the reader has read none of them until now."""
    got = 0
    async with asyncio.timeout(60):
        while got < events:
            got += len((await call.read()).events.events)
    return got
