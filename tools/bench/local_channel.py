"""What a call over the LocalChannel costs, against the bare method and against gRPC over loopback, in turn.

`python -m tools.bench.local_channel [--json] [--rounds N]`. Every contender asks for the documented get-job answer of
the same servicer on the same loop; each round gives all of them a turn, and ratios are taken within rounds, so a busy
machine slows all alike. "task" is the floor: one asyncio task that wakes whoever waits for it. Aim: about 12 us for a
unary call without interceptors, where loopback takes 0.9 ms.
"""

import argparse
import asyncio
import contextvars
import json
import logging
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import grpc
from grpc import aio

from lodestream import documented
from lodestream.local_channel import LocalChannel
from lodestream.v1.job_pb2 import GetJobRequest, GetJobResponse, WatchJobRequest, WatchJobResponse
from lodestream.v1.job_pb2_grpc import JobServiceServicer, JobServiceStub, add_JobServiceServicer_to_server
from lodestream.wire import from_json

CALLS_A_ROUND = 200
#: Over loopback a call takes some fifty times as long; fewer of them make turns of like length.
LOOPBACK_CALLS_A_ROUND = 20
FRAMES_A_ROUND = 2_000
ANSWER = from_json(documented.example_bytes("get-job.response"), GetJobResponse)
FRAME = WatchJobResponse(resume_token="token", snapshot=ANSWER)
REQUEST = GetJobRequest(job_id="j1")
KEY = (("authorization", "Bearer key"),)

Ask: TypeAlias = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Unary:
    """Median microseconds a call, and the medians of this contender's share of the others' time in the same round."""

    name: str
    us: float
    times_task: float
    loopback_times_this: float


@dataclass(frozen=True, slots=True)
class Stream:
    """Median frames a second, and how many times as many as over loopback in the same round."""

    name: str
    frames_a_second: int
    times_loopback: float


class Jobs(JobServiceServicer):
    """Answers with the documented example at once, or streams it for ever."""

    async def GetJob(self, request: Any, context: Any) -> GetJobResponse:  # noqa: N802  # the RPC's name
        return ANSWER

    async def WatchJob(self, request: Any, context: Any) -> AsyncIterator[WatchJobResponse]:  # noqa: N802  # the RPC's name
        while True:
            yield FRAME


class Key(aio.ServerInterceptor):
    """Reads a key out of the metadata, as an authentication does."""

    async def intercept_service(self, continuation: Any, handler_call_details: grpc.HandlerCallDetails) -> Any:
        metadata: Any = handler_call_details.invocation_metadata
        if not any(name == "authorization" and value == "Bearer key" for name, value in metadata):
            return None
        return await continuation(handler_call_details)


async def measure(rounds: int) -> tuple[list[Unary], list[Stream]]:
    """Unary calls by every way, then streams over both channels."""
    async with _channels() as (local, intercepted, loopback):
        servicer = Jobs()
        asks: dict[str, Ask] = {
            "direct": lambda: servicer.GetJob(REQUEST, None),
            "task": _task,
            "local": lambda: local.GetJob(REQUEST),
            "local, interceptor": lambda: intercepted.GetJob(REQUEST, metadata=KEY),
            "local, interceptor, timeout": lambda: intercepted.GetJob(REQUEST, metadata=KEY, timeout=5),
            "loopback": lambda: loopback.GetJob(REQUEST),
        }
        unary = [{name: await _us_a_call(name, ask) for name, ask in asks.items()} for _ in range(rounds + 1)]
        streams = [{"local": await _rate(local), "loopback": await _rate(loopback)} for _ in range(rounds // 2 + 1)]
    # The first round of each warms up.
    return [_unary(name, unary[1:]) for name in asks], [_stream(name, streams[1:]) for name in streams[0]]


@asynccontextmanager
async def _channels() -> AsyncIterator[tuple[Any, Any, Any]]:
    local, intercepted, server = LocalChannel(), LocalChannel([Key()]), aio.server()
    for home in (local, intercepted, server):
        add_JobServiceServicer_to_server(Jobs(), home)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as loopback:
        await loopback.channel_ready()
        yield JobServiceStub(local), JobServiceStub(intercepted), JobServiceStub(loopback)
    await server.stop(None)


async def _task() -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    async def wake() -> None:
        future.set_result(None)

    task = loop.create_task(wake(), context=contextvars.Context())
    await future
    del task  # the loop keeps tasks weakly only


async def _us_a_call(name: str, ask: Ask) -> float:
    calls = LOOPBACK_CALLS_A_ROUND if name == "loopback" else CALLS_A_ROUND
    start = time.perf_counter()
    for _ in range(calls):
        await ask()
    return (time.perf_counter() - start) / calls * 1e6


async def _rate(stub: Any) -> float:
    call, count = stub.WatchJob(WatchJobRequest()), 0
    start = time.perf_counter()
    async for _ in call:
        count += 1
        if count == FRAMES_A_ROUND:
            break
    rate = count / (time.perf_counter() - start)
    call.cancel()
    return rate


def _unary(name: str, rounds: Sequence[dict[str, float]]) -> Unary:
    median = statistics.median(each[name] for each in rounds)
    times_task = statistics.median(each[name] / each["task"] for each in rounds)
    loopback = statistics.median(each["loopback"] / each[name] for each in rounds)
    return Unary(name, round(median, 1), round(times_task, 1), round(loopback, 1))


def _stream(name: str, rounds: Sequence[dict[str, float]]) -> Stream:
    median = statistics.median(each[name] for each in rounds)
    return Stream(name, round(median), round(statistics.median(each[name] / each["loopback"] for each in rounds), 1))


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description="The LocalChannel against the bare method and against loopback.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=30, help=f"rounds of {CALLS_A_ROUND} calls each")
    options = parser.parse_args(arguments)
    logging.getLogger("grpc").setLevel(logging.CRITICAL)  # it reports every stream that the bench breaks off
    unary, streams = asyncio.run(measure(options.rounds))
    if options.json:
        print(json.dumps({"unary": [asdict(row) for row in unary], "streams": [asdict(row) for row in streams]}))
        return
    print(f"{'a unary call':30}{'us':>9}{'times a task':>16}{'loopback takes':>18}")
    for row in unary:
        print(f"{row.name:30}{row.us:>9}{row.times_task:>16}{row.loopback_times_this:>17}x")
    print(f"{'a stream':30}{'frames/s':>9}{'times loopback':>16}")
    for rate in streams:
        print(f"{rate.name:30}{rate.frames_a_second:>9}{rate.times_loopback:>16}")


if __name__ == "__main__":
    main()
