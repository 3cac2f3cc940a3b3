"""Whatever is killed, whoever watches hears the whole story: every event once, in order, with one end."""

import asyncio
import contextlib
import random
import sys
from pathlib import Path

import pytest

from lodestream.client import Client, OperationHandle, Settings
from lodestream.samples.loan_applications import write_log
from lodestream.v1.event_pb2 import RunEvent
from tools.demo.server import Server

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

LIVES = 100
KILLS = 3
ENDS = {"completed", "failed", "cancelled", "timed_out"}


async def steadfast(operation: OperationHandle) -> list[RunEvent]:
    """One watcher that stays through everything."""
    return [item async for item in operation.watch(replay=True) if isinstance(item, RunEvent)]


async def mortal(operation: OperationHandle, chance: random.Random) -> tuple[list[RunEvent], int]:
    """A hundred watchers, each killed at a random event or moment, each going on where the one before was left."""
    told: list[RunEvent] = []
    token, lives, ended = "", 0, False
    while not ended:
        lives += 1
        doomed = lives < LIVES
        left = chance.randint(0, 2) if doomed else sys.maxsize
        async with operation.watch(replay=True, token=token, after=told[-1].sequence if told else 0) as updates:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chance.uniform(0.02, 0.15) if doomed else None):
                    async for item in updates:
                        assert isinstance(item, RunEvent)
                        told.append(item)
                        left -= 1
                        if left < 0:
                            break
            token, ended = updates.token, updates.done is not None
    return told, lives


async def killer(server: Server, operation: OperationHandle, chance: random.Random) -> int:
    """Kills the server in the middle of the run, three times, and starts it anew on its address."""
    kills = 0
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.4, 1.2))
        if (await operation.get()).HasField("completion_time"):
            break
        await server.kill()
        await server.start()
        kills += 1
    return kills


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_servers_and_killed_watchers_lose_and_repeat_nothing(tmp_path: Path, seed: int):
    """Three SIGKILLs of the server and a hundred deaths of watchers in one run: both stories are complete and equal."""
    chance = random.Random(seed)
    log = tmp_path / "loans.csv"
    truth = await asyncio.to_thread(write_log, log, 60_000)
    server = Server(tmp_path)
    ready = await server.start()
    try:
        async with Client(settings=Settings(ready["grpc"], ready["token"])) as client:
            operation = await client.start_operation("Chaos", dataset=await client.upload_dataset(log))
            stayed, (told, lives), kills = await asyncio.gather(
                steadfast(operation), mortal(operation, chance), killer(server, operation, chance)
            )
            results = await operation.results()
    finally:
        code = await server.stop()
    assert code == 0
    assert kills == KILLS
    assert lives >= LIVES
    assert [event.sequence for event in told] == list(range(1, len(told) + 1))
    assert told == stayed
    assert [event.WhichOneof("body") for event in told if event.WhichOneof("body") in ENDS] == ["completed"]
    assert told[-1].WhichOneof("body") == "completed"
    restarts = [event for event in told if event.queued.reason]
    assert len(restarts) >= KILLS
    assert results.success
    assert results.summary.process_variants == truth.variants
