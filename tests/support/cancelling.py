"""Stopping a run that mines a big log while another one mines beside it, through the gRPC door.

Called by a small test and by the proof of the promised times.
"""

import asyncio
import time
from dataclasses import dataclass

from lodestream.client import Client, JobHandle
from lodestream.v1.event_pb2 import RunEvent
from lodestream.v1.job_pb2 import CancelJobResponse


@dataclass(frozen=True, slots=True)
class Stopped:
    """How long the caller waited for the receipt, the receipt, and what the run beside it has to tell."""

    seconds: float
    receipt: CancelJobResponse
    story: list[RunEvent]
    neighbour: list[RunEvent]


async def at_work(job: JobHandle, phase: str) -> None:
    """Returns when the run reports progress of this phase."""
    async with job.watch(replay=True) as updates:
        async for event in updates:
            assert isinstance(event, RunEvent)
            assert event.WhichOneof("body") not in ("completed", "failed"), event
            if event.phase_started.phase == phase:
                return


async def story_of(job: JobHandle) -> list[RunEvent]:
    """All events of a run, to its end."""
    async with job.watch(replay=True) as updates:
        return [event async for event in updates if isinstance(event, RunEvent)]


async def stopped_beside_another(client: Client, dataset: str, phase: str, *, force: bool, after_s: float) -> Stopped:
    """Starts two runs of a dataset and cancels the first one, `after_s` into the phase."""
    job = await client.submit_job("Cancelled", dataset=dataset)
    other = await client.submit_job("Beside it", dataset=dataset)
    listening = asyncio.create_task(story_of(other))
    await at_work(job, phase)
    await asyncio.sleep(after_s)
    begin = time.monotonic()
    receipt = await job.cancel("wrong log", force=force)
    seconds = time.monotonic() - begin
    return Stopped(seconds, receipt, await story_of(job), await listening)


def check(stopped: Stopped, within_s: float) -> None:
    """In time, one end, and the run beside it was neither stopped nor started anew."""
    assert stopped.seconds < within_s, stopped.receipt
    assert [event.sequence for event in stopped.story] == list(range(1, len(stopped.story) + 1))
    assert stopped.story[-1].WhichOneof("body") == "cancelled"
    kinds = [event.WhichOneof("body") for event in stopped.neighbour]
    assert [event.sequence for event in stopped.neighbour] == list(range(1, len(kinds) + 1))
    assert (kinds.count("started"), kinds[-1]) == (1, "completed")
