"""A sender for tests that kill it: `python -m tests.integration.delivery_sender DATA_DIR RUNS`.

Writes that many operations, going on where the one before was killed, and delivers until it is killed itself.
"""

import asyncio
import sys
from pathlib import Path

from lodestream_server.runs.bodies import Body, Completed, PhasePlan, Queued, Submitted
from lodestream_server.runs.states import RunKind
from lodestream_server.store.appending import Fact, append, begin
from lodestream_server.store.store import Store

from lodestream.errors import RunNotFound
from tests.integration.delivery_world import CLOCK, SCOPE, delivering, steps

#: Reports of progress in a run; with start, phase and end these are ten tellings.
STEPS = 7


def story() -> list[Body]:
    """All events of a run."""
    plan = Submitted(SCOPE.tenant_id, SCOPE.project_id, RunKind.OPERATION, "DataEnrichment", "T", (PhasePlan("Only"),))
    return [plan, Queued(), *steps(STEPS), Completed()]


async def write(store: Store, run_id: str) -> None:
    """Whatever the run still lacks, in a few commits."""
    try:
        there = (await store.run(run_id)).last_sequence
    except RunNotFound:
        there = 0
    left = [Fact(body, CLOCK.now()) for body in story()[there:]]
    if not there:
        await store.write(lambda tx: begin(tx, run_id, left[:2]))
        left = left[2:]
    for begun in range(0, len(left), 4):
        part = left[begun : begun + 4]
        await store.write(lambda tx, part=part: append(tx, run_id, part))  # type: ignore[misc]  # a lambda has no hints


async def main(data_dir: Path, runs: int) -> None:
    """See the module."""
    async with delivering(data_dir, attempt_s=0.3) as world:
        for first in range(0, runs, 20):
            await asyncio.gather(*(write(world.store, f"op-{n}") for n in range(first, min(first + 20, runs))))
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
